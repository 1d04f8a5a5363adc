// The levels of EDM's schedulers.
#pragma once

#include "levels.hpp"

#include <cmath>

namespace fewstep::io::detail {

/// How EDM's schedulers differ.
struct EdmRules {
  double low = 0.002, high = 80;  // defaults
  const char* schedule = "karras";
  bool repeats = false;  // final_sigmas_type sigma_min is the last level again
};

inline DiffusersLevels edm_levels(const DiffusersSettings& c, int steps, const EdmRules& rules = {}) {
  c.knows({"num_train_timesteps", "sigma_data"});
  const double low = c.positive("sigma_min", rules.low), high = c.positive("sigma_max", rules.high);
  require(low < high, "sigma_min", low, {"less than sigma_max, ", high});
  const bool karras = c.choice("sigma_schedule", rules.schedule, {"karras", "exponential"}) == "karras";
  const double rho = c.number("rho", 7);
  require(rho != 0 && std::isfinite(rho), "rho", rho, "any number but 0");
  DiffusersLevels made;
  made.levels = range_levels(karras ? Range::karras : Range::exponential, steps, low, high, rho);
  if (steps == 1 && !karras) made.levels = {low};  // diffusers' only exponential level
  for (const double level : made.levels) made.labels.push_back(0.25 * std::log(level));
  if (!ends_at_zero(c)) made.end = rules.repeats ? made.levels.back() : low;
  return made;
}

}  // namespace fewstep::io::detail
