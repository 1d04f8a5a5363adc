#pragma once

#include "../processes/noise_table.hpp"
#include "../schedule.hpp"

#include <cmath>

namespace fewstep {

struct DiscreteOptions {
  int steps;
  double rho = 1, sigma_min = 0.002, sigma_max = 80;
  End end = End::sigma_min;
};

/// Uniform in t^(1/rho), t being the training time of a table.
inline Schedule discrete(const NoiseTable& table, const DiscreteOptions& o) {
  require(std::isfinite(o.rho) && o.rho > 0, "rho", o.rho, "positive numbers");
  const double first = std::pow(table.time(o.sigma_max), 1 / o.rho),
               last = std::pow(table.time(o.sigma_min), 1 / o.rho);
  return detail::spaced(o, [&](double u) { return table.sigma(std::pow(first + u * (last - first), o.rho)); });
}

}  // namespace fewstep
