// The noise levels that a run visits.
#pragma once

#include "errors.hpp"

#include <array>
#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fewstep {

/// Strictly monotone noise levels: decreasing to sample, increasing to invert. `steps()` intervals, `size()` levels,
/// kept exactly as given. A decreasing one may end at 0, which the run reaches by one denoising evaluation.
class Schedule {
 public:
  /// @throws std::invalid_argument naming the level that is not finite, not positive, or out of order.
  explicit Schedule(std::vector<double> levels) : levels_(std::move(levels)) {
    require(size() >= 2, "the number of noise levels", size(), "2 or more");
    const bool decreasing = levels_[1] < levels_[0];
    for (std::size_t i = 0; i < size(); ++i) {
      const std::string name = "noise level " + std::to_string(i);
      const bool zero_end = levels_[i] == 0 && i + 1 == size() && decreasing;
      require(std::isfinite(levels_[i]) && (levels_[i] > 0 || zero_end), name, levels_[i],
              "positive and finite numbers, 0 only as the end of a decreasing schedule");
      if (i > 0)
        require(decreasing ? levels_[i] < levels_[i - 1] : levels_[i] > levels_[i - 1], name, levels_[i],
                std::string(decreasing ? "less" : "greater") + " than the level before it");
    }
  }

  std::size_t steps() const { return levels_.size() - 1; }
  std::size_t size() const { return levels_.size(); }
  double operator[](std::size_t i) const { return levels_[i]; }
  bool decreasing() const { return levels_[1] < levels_[0]; }
  const std::vector<double>& levels() const { return levels_; }
  auto begin() const { return levels_.begin(); }
  auto end() const { return levels_.end(); }

 private:
  std::vector<double> levels_;
};

/// Where a schedule ends: at sigma_min (the papers), or one denoising step further at 0.
enum class End { sigma_min, zero };
constexpr std::array<std::string_view, 2> names_of(End) { return {"sigma_min", "zero"}; }

namespace detail {

/// Levels at(u), u = 0 .. 1 in equal parts, both ends exact whatever `at` rounds to.
template <class Options, class At>
Schedule spaced(const Options& o, At at) {
  require(o.steps >= 1, "steps", o.steps, "1 or more");
  require(std::isfinite(o.sigma_max) && o.sigma_max > 0, "sigma_max", o.sigma_max, "positive numbers");
  require(o.sigma_min > 0 && o.sigma_min < o.sigma_max, "sigma_min", o.sigma_min, "positive numbers below sigma_max");
  const int intervals = o.end == End::zero ? o.steps - 1 : o.steps;
  std::vector<double> levels{o.sigma_max};
  for (int i = 1; i < intervals; ++i) levels.push_back(at(static_cast<double>(i) / intervals));
  if (intervals > 0) levels.push_back(o.sigma_min);
  if (o.end == End::zero) levels.push_back(0);
  return Schedule(std::move(levels));
}

}  // namespace detail

}  // namespace fewstep
