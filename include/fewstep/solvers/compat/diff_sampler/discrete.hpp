#pragma once

#include "../../../processes/noise_table.hpp"
#include "../../../schedule.hpp"
#include "../../../schedules/discrete.hpp"

#include <cmath>
#include <vector>

namespace fewstep::compat {

/// The "discrete" schedule as published.
///
/// The mistake: the first time lacks the power 1/rho, so for rho other than 1 the schedule does not start at sigma_max.
/// Source: diff-sampler, solver_utils.py, get_schedule.
inline Schedule discrete(const NoiseTable& table, const DiscreteOptions& o) {
  const double first = table.time(o.sigma_max), last = std::pow(table.time(o.sigma_min), 1 / o.rho);
  std::vector<double> levels;
  for (int i = 0; i <= o.steps; ++i)
    levels.push_back(table.sigma(std::pow(first + static_cast<double>(i) / o.steps * (last - first), o.rho)));
  return Schedule(levels);
}

}  // namespace fewstep::compat
