// Samples of a two-dimensional mixture in five evaluations, and how far each solver ends from the exact flow.
#include <fewstep/eigen.hpp>

#include <cmath>
#include <cstdio>

int main() {
  using namespace fewstep;
  const MixtureDenoiser denoise({.weights = {0.5, 0.5}, .means = {{1, 0}, {-1, 0.5}}, .deviations = {0.2, 0.3}});
  const Eigen::ArrayXXd z = noise({1, 2, 3, 4, 5, 6, 7, 8}, 2);  // a column per sample, keyed by its seed

  const Eigen::ArrayXXd exact = sample(Heun{}, denoise, karras({.steps = 1000}), z).x;
  const auto report = [&](const char* name, const auto& solver, const Schedule& schedule, Options options = {}) {
    const auto result = sample(solver, denoise, schedule, z, options);
    std::printf("%-24s %d evaluations, distance %.3f\n", name, result.evaluations,
                std::sqrt((result.x - exact).square().mean()));
  };
  report("Euler (DDIM)", Euler{}, karras({.steps = 5}));
  report("Heun, analytic start", Heun{}, karras({.steps = 3}), {.analytic_first_step = true});
  report("DPM-Solver++(2M)", Dpmpp{.order = 2}, log_uniform({.steps = 5}));
  report("iPNDM", Ipndm{.order = 3}, karras({.steps = 5}));
}
