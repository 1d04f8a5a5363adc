#pragma once

#include "../schedule.hpp"

#include <cmath>

namespace fewstep {

struct KarrasOptions {
  int steps;
  double rho = 7, sigma_min = 0.002, sigma_max = 80;
  End end = End::sigma_min;
};

/// Uniform in sigma^(1/rho) (Karras et al. 2022, arXiv 2206.00364, equation 5).
inline Schedule karras(const KarrasOptions& o) {
  require(std::isfinite(o.rho) && o.rho != 0, "rho", o.rho, "any number but 0");
  const double first = std::pow(o.sigma_max, 1 / o.rho), last = std::pow(o.sigma_min, 1 / o.rho);
  return detail::spaced(o, [&](double u) { return std::pow(first + u * (last - first), o.rho); });
}

}  // namespace fewstep
