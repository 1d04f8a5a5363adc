#pragma once

#include "../schedule.hpp"

#include <cmath>

namespace fewstep {

/// Options of kl_optimal().
struct KlOptimalOptions {
  int steps;                 ///< 1 or more
  double sigma_min = 0.002;  ///< last level above 0
  double sigma_max = 80;     ///< first level
  End end = End::sigma_min;  ///< zero: the last of the steps goes from sigma_min to 0
};

/// Levels uniform in arctan(sigma).
/// @return o.steps + 1 levels
/// @throws std::invalid_argument for an option out of range.
/// Source: Sabour et al. 2024, arXiv 2404.14507.
inline Schedule kl_optimal(const KlOptimalOptions& o) {
  const double first = std::atan(o.sigma_max), last = std::atan(o.sigma_min);
  return detail::spaced(o, [&](double u) { return std::tan(first + u * (last - first)); });
}

}  // namespace fewstep
