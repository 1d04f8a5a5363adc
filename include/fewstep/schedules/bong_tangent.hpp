#pragma once

#include "../errors.hpp"
#include "../level.hpp"
#include "../schedule.hpp"

#include <cmath>
#include <vector>

namespace fewstep {

/// Options of bong_tangent().
struct BongTangentOptions {
  int steps;             ///< 2 or more
  double sigma_max = 1;  ///< first level; 1 for flows
};

namespace detail {

/// `count` numbers from `first` to `last` along an arctangent whose middle is at place `pivot`.
inline std::vector<double> arctangent(int count, double slope, int pivot, double first, double last) {
  const auto at = [&](int i) { return std::atan(slope * (pivot - i)); };
  const double low = at(count - 1), range = at(0) - low;
  std::vector<double> list;
  for (int i = 0; i < count; ++i) list.push_back(last + (at(i) - low) / range * (first - last));
  return list;
}

}  // namespace detail

/// Two arctangents, from sigma_max to half of it and from there to 0: many levels near both ends.
/// @return o.steps + 1 levels, the last one 0
/// @throws std::invalid_argument for an option out of range.
/// Source: RES4LYF's scheduler "bong_tangent" with its defaults, for sigma_max 1; other ranges are scaled.
inline Schedule bong_tangent(const BongTangentOptions& o) {
  constexpr int most = 1'000'000;
  constexpr double share = 0.6, steepness = 8;  // place of both pivots, slope times steps
  require(o.steps >= 2 && o.steps <= most, "steps", o.steps, {"2 to ", most});
  require(detail::is_level(o.sigma_max), "sigma_max", o.sigma_max, detail::allowed_levels);
  const int places = o.steps + 2, pivot = static_cast<int>(share * places);
  const double slope = steepness / places;
  std::vector<double> levels = detail::arctangent(pivot, slope, pivot, o.sigma_max, o.sigma_max / 2);
  levels.pop_back();
  for (const double level : detail::arctangent(places - pivot, slope, 0, o.sigma_max / 2, 0)) levels.push_back(level);
  levels.back() = 0;
  return Schedule(levels);
}

}  // namespace fewstep
