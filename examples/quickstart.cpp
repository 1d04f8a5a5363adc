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
  std::vector<std::uint64_t> fitted(200), unseen(500);  // seeds
  std::iota(fitted.begin(), fitted.end(), 0);
  std::iota(unseen.begin(), unseen.end(), 200);
  const Eigen::ArrayXXd z = noise(unseen, 2);  // one column per sample

  const Eigen::ArrayXXd exact = sample(Heun{}, denoise, karras({.steps = 200}), z).x;
  const auto report = [&](const char* name, const auto& solver, const Schedule& schedule) {
    const auto result = sample(solver, denoise, schedule, z, {.analytic_first_step = true});
    std::printf("%-18s NFE %d, RMS distance %.3f\n", name, result.evaluations,
                std::sqrt((result.x - exact).square().mean()));
  };
  const Ipndm classic{.order = 3};
  report("iPNDM", classic, karras({.steps = 6}));
  report("Amed over iPNDM", Amed{classic, FixedRatio{0.28}}, karras({.steps = 3}));
  const Table table = calibrate(denoise, tabulate(classic, karras({.steps = 6})), std::vector{noise(fitted, 2)}).table;
  report("calibrated iPNDM", table, table.schedule());
}
