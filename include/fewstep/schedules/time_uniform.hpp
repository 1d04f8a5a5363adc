#pragma once

#include "../processes/vp_linear.hpp"
#include "../schedule.hpp"

#include <cmath>

namespace fewstep {

/// Options of time_uniform().
struct TimeUniformOptions {
  int steps;                 ///< 1 or more
  double rho = 1;            ///< above 0; 1: uniform in time
  double sigma_min = 0.002;  ///< last level above 0
  double sigma_max = 80;     ///< first level
  double epsilon = 1e-3;     ///< between 0 and 1; the process's time at sigma_min
  End end = End::sigma_min;  ///< zero: the last of the steps goes from sigma_min to 0
};

/// Levels uniform in t^(1/rho), where t is the time of the linear variance-preserving process with sigma(1) = sigma_max
/// and sigma(epsilon) = sigma_min.
/// @return o.steps + 1 levels
/// @throws std::invalid_argument for an option out of range.
/// Source: Song et al. 2021, arXiv 2011.13456.
inline Schedule time_uniform(const TimeUniformOptions& o) {
  require(std::isfinite(o.rho) && o.rho > 0, "rho", o.rho, "positive numbers");
  require(o.epsilon > 0 && o.epsilon < 1, "epsilon", o.epsilon, "numbers between 0 and 1");
  const VpLinear process = VpLinear::through(o.sigma_min, o.sigma_max, o.epsilon);
  const double last = std::pow(o.epsilon, 1 / o.rho);
  return detail::spaced(o, [&](double u) { return process.sigma(std::pow(1 + u * (last - 1), o.rho)); });
}

}  // namespace fewstep
