// The noise levels that a run visits.
#pragma once

#include "errors.hpp"
#include "level.hpp"

#include <array>
#include <cmath>
#include <cstddef>
#include <string_view>
#include <utility>
#include <vector>

namespace fewstep {

namespace detail {

/// @param steps  of a schedule
/// @throws std::invalid_argument for fewer than 1 or more than a million.
inline void require_steps(int steps) {
  constexpr int most = 1'000'000;
  require(steps >= 1 && steps <= most, "steps", steps, {"1 to ", most});
}

}  // namespace detail

/// Strictly monotone noise levels sigma: decreasing to sample, increasing to invert. A schedule of n steps has n + 1
/// levels, kept exactly as given. A decreasing one may end at 0, which a run reaches by one denoising evaluation.
class Schedule {
 public:
  /// @param levels  at least two, from lowest_level to highest_level, strictly monotone; the last of decreasing ones
  /// may be 0
  /// @throws std::invalid_argument naming the level that does not fit.
  explicit Schedule(std::vector<double> levels) : levels_(std::move(levels)) {
    require(size() >= 2, "the number of noise levels", size(), "2 or more");
    for (std::size_t i = 0; i < size(); ++i) {
      const bool zero_end = levels_[i] == 0 && i + 1 == size() && decreasing();
      require(detail::is_level(levels_[i]) || zero_end, {"noise level ", i}, levels_[i],
              {detail::allowed_levels, ", 0 only as the end of a decreasing schedule"});
      if (i > 0)
        require(decreasing() ? levels_[i] < levels_[i - 1] : levels_[i] > levels_[i - 1], {"noise level ", i},
                levels_[i], {decreasing() ? "less" : "greater", " than the level before it"});
    }
  }

  std::size_t steps() const { return levels_.size() - 1; }
  std::size_t size() const { return levels_.size(); }            ///< steps() + 1
  double operator[](std::size_t i) const { return levels_[i]; }  ///< level i, 0 to steps()
  bool decreasing() const { return levels_[1] < levels_[0]; }
  const std::vector<double>& levels() const { return levels_; }
  auto begin() const { return levels_.begin(); }
  auto end() const { return levels_.end(); }

 private:
  std::vector<double> levels_;
};

/// Where a named schedule ends: at sigma_min as in the papers, or at 0, with sigma_min the level before it.
enum class End { sigma_min, zero };
constexpr std::array<std::string_view, 2> names_of(End) { return {"sigma_min", "zero"}; }

namespace detail {

/// @throws std::invalid_argument for steps out of range, or unless lowest_level <= sigma_min < sigma_max <=
/// highest_level.
inline void require_range(int steps, double sigma_min, double sigma_max) {
  require_steps(steps);
  require(is_level(sigma_max), "sigma_max", sigma_max, allowed_levels);
  require(is_level(sigma_min) && sigma_min < sigma_max, "sigma_min", sigma_min,
          {allowed_levels, ", less than sigma_max"});
}

/// The levels level_at(u) for u = 0 ... 1 in equal parts; both ends are exactly sigma_max and sigma_min, whatever
/// level_at rounds to.
/// @param o  options with steps, sigma_min, sigma_max and end
template <class Options, class LevelAt>
Schedule spaced(const Options& o, LevelAt level_at) {
  require_range(o.steps, o.sigma_min, o.sigma_max);
  const int intervals = o.end == End::zero ? o.steps - 1 : o.steps;
  std::vector<double> levels(static_cast<std::size_t>(o.steps) + 1);
  for (int i = 1; i < intervals; ++i)
    levels[static_cast<std::size_t>(i)] = level_at(static_cast<double>(i) / intervals);
  if (intervals > 0) levels[static_cast<std::size_t>(intervals)] = o.sigma_min;
  levels[0] = o.sigma_max;
  return Schedule(std::move(levels));
}

}  // namespace detail

}  // namespace fewstep
