// A scheduler of diffusers as include/fewstep/io/README.md shows it.
#include <fewstep/eigen.hpp>
#include <fewstep/io/diffusers.hpp>

using namespace fewstep;
using X = Eigen::ArrayXXd;

X sample_with_scheduler(X (*network)(const X&, double), const X& noise) {
  const auto run = io::read_scheduler<X>("scheduler_config.json", {.num_inference_steps = 20});
  const auto result = sample(run.solver, io::diffusers_denoiser(network, run), run.schedule, noise, run.options);
  return result.x;
}
