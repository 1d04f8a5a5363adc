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

  const Ipndm classic{.order = 3};
  const Eigen::ArrayXXd exact = sample(classic, denoise, karras({.steps = 2000}), z).x;
  const auto report = [&](const char* name, const Result<Eigen::ArrayXXd>& result) {
    std::printf("%-18s NFE %d, RMS distance %.3f\n", name, result.evaluations,
                std::sqrt((result.x - exact).square().mean()));
  };
  const Options afs{.analytic_first_step = true};
  report("iPNDM", sample(classic, denoise, karras({.steps = 6}), z, afs));
  report("Amed over iPNDM", sample(Amed{classic, FixedRatio{0.28}}, denoise, karras({.steps = 3}), z, afs));
  const Table table = calibrate(denoise, tabulate(classic, karras({.steps = 6})), std::vector{noise(fitted, 2)}).table;
  report("calibrated iPNDM", sample(table, denoise, table.schedule(), z, afs));
}
