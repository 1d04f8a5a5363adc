// A solver fitted to a model: its distance to the exact solution on unseen noise, and that of the solver it started
// from.
#include <fewstep/eigen.hpp>
#include <fewstep/fitting/calibrate.hpp>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <numeric>
#include <utility>
#include <vector>

using namespace fewstep;
using Batch = Eigen::ArrayXXd;  // one column per sample

/// Unit noise for samples of two numbers, drawn from consecutive seeds.
Batch draw(std::uint64_t first_seed, std::size_t samples) {
  std::vector<std::uint64_t> seeds(samples);
  std::iota(seeds.begin(), seeds.end(), first_seed);
  return noise(seeds, 2);
}

int main() {
  const MixtureDenoiser denoise({.weights = {0.5, 0.5}, .means = {{1, 0}, {-1, 0.5}}, .deviations = {0.2, 0.3}});

  const Table start = tabulate(Ipndm{.order = 3}, karras({.steps = 6}));
  const Table fitted = calibrate(denoise, start, std::vector<Batch>{draw(0, 200)}).table;

  const Batch unseen = draw(1'000, 500), exact = sample(Heun{}, denoise, karras({.steps = 200}), unseen).x;
  for (const auto& [name, table] : {std::pair{"iPNDM", start}, std::pair{"fitted", fitted}}) {
    const auto result = sample(table, denoise, table.schedule(), unseen, {.analytic_first_step = true});
    std::printf("%-7s NFE %d, RMS distance %.2f, levels", name, result.evaluations,
                std::sqrt((result.x - exact).square().mean()));
    for (const double level : table.levels) std::printf(" %.3g", level);
    std::printf("\n");
  }
}
