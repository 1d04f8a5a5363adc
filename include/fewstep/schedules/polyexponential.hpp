#pragma once

#include "../schedule.hpp"

#include <cmath>

namespace fewstep {

struct PolyexponentialOptions {
  int steps;
  double rho = 1, sigma_min = 0.002, sigma_max = 80;
  End end = End::sigma_min;
};

/// log sigma falls as (1 - u)^rho (k-diffusion, get_sigmas_polyexponential); rho = 1: log_uniform.
inline Schedule polyexponential(const PolyexponentialOptions& o) {
  require(std::isfinite(o.rho) && o.rho > 0, "rho", o.rho, "positive numbers");
  return detail::spaced(
      o, [&](double u) { return o.sigma_min * std::pow(o.sigma_max / o.sigma_min, std::pow(1 - u, o.rho)); });
}

}  // namespace fewstep
