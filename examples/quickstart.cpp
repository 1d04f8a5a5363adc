// Three samplers of 5 network evaluations each, and how far each ends from the exact solution.
#include <fewstep/eigen.hpp>
#include <fewstep/fitting/calibrate.hpp>

#include <cmath>
#include <cstdio>

int main() {
  using namespace fewstep;
  const MixtureDenoiser denoise({.weights = {0.5, 0.5}, .means = {{1, 0}, {-1, 0.5}}, .deviations = {0.2, 0.3}});
  const Eigen::ArrayXXd z = noise(seed_range(200, 500), 2);  // one column per sample

  const Ipndm classic{.order = 3};
  const Eigen::ArrayXXd exact = sample(classic, denoise, karras({.steps = 2000}), z).x;
  const auto report = [&](const char* name, const Result<Eigen::ArrayXXd>& result) {
    std::printf("%-18s NFE %d, RMS distance %.3f\n", name, result.evaluations,
                std::sqrt((result.x - exact).square().mean()));
  };
  const Options afs{.analytic_first_step = true};
  report("iPNDM", sample(classic, denoise, karras({.steps = 6}), z, afs));
  report("Amed over iPNDM", sample(Amed{classic, FixedRatio{0.28}}, denoise, karras({.steps = 3}), z, afs));
  const std::vector fitted{noise(seed_range(0, 200), 2)};
  const Table table = calibrate(denoise, tabulate(classic, karras({.steps = 6})), fitted).table;
  report("calibrated iPNDM", sample(table, denoise, table.schedule(), z, afs));
}
