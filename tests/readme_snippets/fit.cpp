// Fitted solvers as the READMEs show them: found by a search, written to a file, and read from one.
#include <fewstep/eigen.hpp>
#include <fewstep/fitting/autotune.hpp>
#include <fewstep/fitting/calibrate.hpp>
#include <fewstep/io/amed_file.hpp>
#include <fewstep/io/table_file.hpp>

#include <cstddef>
#include <utility>
#include <vector>

using namespace fewstep;
using Batch = Eigen::ArrayXXd;

Batch search_and_sample(const MixtureDenoiser& denoise, const Batch& z) {
  const auto noise_of = [](std::size_t batch) { return noise(seed_range(40 * batch, 40), 2); };
  const Autotuned found = autotune<Batch>(denoise, noise_of, {.evaluations = 5, .calls = 10'000});
  const auto result = sample(found.table, denoise, found.table.schedule(), z, found.options());
  return result.x;
}

void calibrate_and_write(const MixtureDenoiser& denoise, const std::vector<Batch>& batches) {
  const Table start = tabulate(Ipndm{.order = 3}, karras({.steps = 6}));
  const Calibration fit = calibrate(denoise, start, batches);
  io::write_table("my_5.json", {.table = fit.table, .analytic_first_step = true});
}

Batch sample_with_predictor(const MixtureDenoiser& denoise, const Batch& z) {
  const auto with_features = [&](const Batch& x, const Level<Batch>& sigma) {
    Batch denoised = x;
    denoise(x, sigma, denoised);
    return std::pair(denoised, Batch(x));
  };
  const io::AmedFile file = io::read_amed("my_amed_5.safetensors");
  const Amed solver{Ipndm{.order = 3}, AmedPredictor{file.network}};
  const auto result = sample(solver, with_features, karras({.steps = 3}), z, {.analytic_first_step = true});
  return result.x;
}
