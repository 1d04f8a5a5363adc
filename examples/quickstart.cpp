// Three samplers of 5 network evaluations each, and how far each ends from the exact solution.
#include <fewstep/eigen.hpp>
#include <fewstep/fitting/calibrate.hpp>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <numeric>
#include <vector>

int main() {
  using namespace fewstep;
  const MixtureDenoiser denoise({.weights = {0.5, 0.5}, .means = {{1, 0}, {-1, 0.5}}, .deviations = {0.2, 0.3}});
  std::vector<std::uint64_t> fitted_seeds(200), unseen_seeds(500);
  std::iota(fitted_seeds.begin(), fitted_seeds.end(), 0);
  std::iota(unseen_seeds.begin(), unseen_seeds.end(), 200);
  const Eigen::ArrayXXd fitted = noise(fitted_seeds, 2), unseen = noise(unseen_seeds, 2);  // one column per sample

  const Eigen::ArrayXXd exact = sample(Heun{}, denoise, karras({.steps = 200}), unseen).x;
  const auto report = [&](const char* name, const auto& solver, const Schedule& schedule) {
    const auto result = sample(solver, denoise, schedule, unseen, {.analytic_first_step = true});
    std::printf("%-18s NFE %d, RMS distance %.3f\n", name, result.evaluations,
                std::sqrt((result.x - exact).square().mean()));
  };
  const Ipndm classic{.order = 3};
  report("iPNDM", classic, karras({.steps = 6}));
  report("Amed over iPNDM", Amed{classic, FixedRatio{0.28}}, karras({.steps = 3}));
  const Table table = calibrate(denoise, tabulate(classic, karras({.steps = 6})), std::vector{fitted}).table;
  report("calibrated iPNDM", table, table.schedule());
}
