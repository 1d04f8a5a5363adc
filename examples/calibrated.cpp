// A solver fitted to a model: its distance to the exact solution on unseen noise, and that of the solver it started
// from.
#include <fewstep/eigen.hpp>
#include <fewstep/fitting/calibrate.hpp>

#include <cmath>
#include <cstdio>
#include <utility>
#include <vector>

using namespace fewstep;
using Batch = Eigen::ArrayXXd;  // one column per sample

int main() {
  const MixtureDenoiser denoise({.weights = {0.5, 0.5}, .means = {{1, 0}, {-1, 0.5}}, .deviations = {0.2, 0.3}});

  const Table start = tabulate(Ipndm{.order = 3}, karras({.steps = 6}));
  const Table fitted = calibrate(denoise, start, std::vector{noise(seed_range(0, 200), 2)}).table;

  const Batch unseen = noise(seed_range(1'000, 500), 2);
  const Batch exact = sample(Heun{}, denoise, karras({.steps = 200}), unseen).x;
  for (const auto& [name, table] : {std::pair{"iPNDM", start}, std::pair{"fitted", fitted}}) {
    const auto result = sample(table, denoise, table.schedule(), unseen, {.analytic_first_step = true});
    std::printf("%-7s NFE %d, RMS distance %.2f, levels", name, result.evaluations,
                std::sqrt((result.x - exact).square().mean()));
    for (const double level : table.levels) std::printf(" %.3g", level);
    std::printf("\n");
  }
}
