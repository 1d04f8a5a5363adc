#pragma once

#include "../schedule.hpp"

#include <cmath>

namespace fewstep {

/// Options of karras().
struct KarrasOptions {
  int steps;                 ///< 1 or more
  double rho = 7;            ///< not 0; the larger, the more levels near sigma_min; 1: uniform in sigma
  double sigma_min = 0.002;  ///< last level above 0
  double sigma_max = 80;     ///< first level
  End end = End::sigma_min;  ///< zero: the last of the steps goes from sigma_min to 0
};

/// Levels uniform in sigma^(1/rho).
///
///   sigma(u) = ((1 - u) sigma_max^(1/rho) + u sigma_min^(1/rho))^rho,   u from 0 to 1 in equal parts
///
/// @return o.steps + 1 levels
/// @throws std::invalid_argument for an option out of range.
/// Source: Karras et al. 2022, arXiv 2206.00364, equation 5.
inline Schedule karras(const KarrasOptions& o) {
  require(std::isfinite(o.rho) && o.rho != 0, "rho", o.rho, "any number but 0");
  const double first = std::pow(o.sigma_max, 1 / o.rho), last = std::pow(o.sigma_min, 1 / o.rho);
  return detail::spaced(o, [&](double u) { return std::pow(first + u * (last - first), o.rho); });
}

}  // namespace fewstep
