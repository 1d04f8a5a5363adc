#include "classic_race.hpp"

#include <fewstep/errors.hpp>
#include <fewstep/fitting/autotuning/race.hpp>

#include <algorithm>

namespace fewstep::examples {

namespace {

bool nearer(const Racer& a, const Racer& b) { return a.score() < b.score(); }

}  // namespace

ClassicSolver best_classic(int evaluations, double sigma_min, double sigma_max, std::size_t batches,
                           const EndSquares& squares) {
  constexpr std::size_t finalists = 8;
  std::vector<Racer> field = racers(evaluations, sigma_min, sigma_max);
  require(!field.empty(), "the number of evaluations", evaluations, "1 or more");
  const std::size_t raced = field.size();
  for (Racer& racer : field)
    racer.rate(fewstep::detail::end_distances(squares(racer.table, racer.analytic_first_step, 0)));
  std::stable_sort(field.begin(), field.end(), nearer);
  field.erase(field.begin() + static_cast<std::ptrdiff_t>((std::min)(raced, finalists)), field.end());
  std::vector<ClassicSolver> found;
  for (Racer& racer : field) {
    found.push_back({racer.text, raced, {}});
    for (std::size_t b = 0; b < batches; ++b) {
      const std::vector<double> own = squares(racer.table, racer.analytic_first_step, b);
      found.back().squares.insert(found.back().squares.end(), own.begin(), own.end());
    }
    racer.rate(fewstep::detail::end_distances(found.back().squares));
  }
  const auto best = std::min_element(field.begin(), field.end(), nearer);
  return found[static_cast<std::size_t>(best - field.begin())];
}

}  // namespace fewstep::examples
