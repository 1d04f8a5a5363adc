#pragma once

#include "../processes/noise_table.hpp"
#include "../schedule.hpp"

#include <cmath>

namespace fewstep {

/// Options of discrete().
struct DiscreteOptions {
  int steps;                 ///< 1 or more
  double rho = 1;            ///< above 0; 1: uniform in training time
  double sigma_min = 0.002;  ///< last level above 0; the table's own is table.sigma_min()
  double sigma_max = 80;     ///< first level; the table's own is table.sigma_max()
  End end = End::sigma_min;  ///< zero: the last of the steps goes from sigma_min to 0
};

/// Levels uniform in t^(1/rho), where t in (0, 1] is the training time of a table of betas.
/// @param table  of the network
/// @return o.steps + 1 levels
/// @throws std::invalid_argument for an option out of range.
/// Source: the "discrete" schedule of diff-sampler, the code of arXiv 2312.00094.
inline Schedule discrete(const NoiseTable& table, const DiscreteOptions& o) {
  require(std::isfinite(o.rho) && o.rho > 0, "rho", o.rho, "positive numbers");
  const double first = std::pow(table.time(o.sigma_max), 1 / o.rho);
  const double last = std::pow(table.time(o.sigma_min), 1 / o.rho);
  return detail::spaced(o, [&](double u) { return table.sigma(std::pow(first + u * (last - first), o.rho)); });
}

}  // namespace fewstep
