#pragma once

#include "../schedule.hpp"

#include <cmath>

namespace fewstep {

/// Options of polyexponential().
struct PolyexponentialOptions {
  int steps;                 ///< 1 or more
  double rho = 1;            ///< above 0; 1: the levels of log_uniform
  double sigma_min = 0.002;  ///< last level above 0
  double sigma_max = 80;     ///< first level
  End end = End::sigma_min;  ///< zero: the last of the steps goes from sigma_min to 0
};

/// Levels whose logarithm follows a power of the position.
///
///   sigma(u) = sigma_min (sigma_max/sigma_min)^((1 - u)^rho),   u from 0 to 1 in equal parts
///
/// @return o.steps + 1 levels
/// @throws std::invalid_argument for an option out of range.
/// Source: k-diffusion, get_sigmas_polyexponential.
inline Schedule polyexponential(const PolyexponentialOptions& o) {
  require(std::isfinite(o.rho) && o.rho > 0, "rho", o.rho, "positive numbers");
  return detail::spaced(
      o, [&](double u) { return o.sigma_min * std::pow(o.sigma_max / o.sigma_min, std::pow(1 - u, o.rho)); });
}

}  // namespace fewstep
