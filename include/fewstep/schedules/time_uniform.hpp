#pragma once

#include "../processes/vp_linear.hpp"
#include "../schedule.hpp"

#include <cmath>

namespace fewstep {

struct TimeUniformOptions {
  int steps;
  double rho = 1, sigma_min = 0.002, sigma_max = 80, epsilon = 1e-3;
  End end = End::sigma_min;
};

/// Uniform in t^(1/rho), t from 1 to epsilon being the time of the variance-preserving process with linear beta whose
/// sigma(1) = sigma_max and sigma(epsilon) = sigma_min (Song et al. 2021, arXiv 2011.13456).
inline Schedule time_uniform(const TimeUniformOptions& o) {
  require(std::isfinite(o.rho) && o.rho > 0, "rho", o.rho, "positive numbers");
  require(o.epsilon > 0 && o.epsilon < 1, "epsilon", o.epsilon, "numbers between 0 and 1");
  const VpLinear process = VpLinear::through(o.sigma_min, o.sigma_max, o.epsilon);
  const double last = std::pow(o.epsilon, 1 / o.rho);
  return detail::spaced(o, [&](double u) { return process.sigma(std::pow(1 + u * (last - 1), o.rho)); });
}

}  // namespace fewstep
