// A solver fitted to a model, which is only ever called, and how far both end from the exact flow on unseen noise.
#include <fewstep/eigen.hpp>
#include <fewstep/fitting/calibrate.hpp>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <numeric>
#include <utility>
#include <vector>

int main() {
  using namespace fewstep;
  using Batch = Eigen::ArrayXXd;
  const auto draw = [](std::uint64_t first, std::size_t count) {
    std::vector<std::uint64_t> seeds(count);
    std::iota(seeds.begin(), seeds.end(), first);
    return noise(seeds, 2);
  };
  const MixtureDenoiser denoise({.weights = {0.5, 0.5}, .means = {{1, 0}, {-1, 0.5}}, .deviations = {0.2, 0.3}});

  const Table start = tabulate(Ipndm{.order = 3}, karras({.steps = 6}));
  const Table fitted = calibrate(denoise, start, std::vector<Batch>{draw(0, 200)}).table;

  const Batch unseen = draw(1'000, 500), exact = sample(Heun{}, denoise, karras({.steps = 200}), unseen).x;
  for (const auto& [name, table] : {std::pair{"iPNDM", start}, std::pair{"fitted", fitted}}) {
    const auto result = sample(table, denoise, table.schedule(), unseen, {.analytic_first_step = true});
    std::printf("%-7s %d evaluations, distance %.2f\n", name, result.evaluations,
                std::sqrt((result.x - exact).square().mean()));
  }
}
