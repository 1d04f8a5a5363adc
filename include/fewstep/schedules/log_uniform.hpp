#pragma once

#include "../schedule.hpp"

#include <cmath>

namespace fewstep {

/// Options of log_uniform().
struct LogUniformOptions {
  int steps;                 ///< 1 or more
  double sigma_min = 0.002;  ///< last level above 0
  double sigma_max = 80;     ///< first level
  End end = End::sigma_min;  ///< zero: the last of the steps goes from sigma_min to 0
};

/// Levels uniform in log(sigma), and so in the logarithm of the signal-to-noise ratio.
/// @return o.steps + 1 levels
/// @throws std::invalid_argument for an option out of range.
/// Source: Lu et al. 2022, arXiv 2206.00927.
inline Schedule log_uniform(const LogUniformOptions& o) {
  const double first = std::log(o.sigma_max), last = std::log(o.sigma_min);
  return detail::spaced(o, [&](double u) { return std::exp(first + u * (last - first)); });
}

}  // namespace fewstep
