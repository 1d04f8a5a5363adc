// Levels of flow matching models, in the flow's own time from 1 (noise) to 0 (from_flow_native).
#pragma once

#include "../schedule.hpp"

#include <cmath>
#include <vector>

namespace fewstep {

struct FlowOptions {
  int steps;
  double shift = 1;     // t -> shift t/(1 + (shift - 1) t): 3 for SD3, 1.15 for Flux
  double terminal = 0;  // stretch so that the level before 0 is this; 0: as it comes
  double first = 1,
         last = 0;  // before the shift; last: the level before 0, 0: as far from 0 as levels are from each other
};

/// The shift for an image of so many tokens, exp of a line through exp(base) at base_tokens and exp(most) at
/// most_tokens (Flux, SD3.5).
inline double resolution_shift(double tokens, double base = 0.5, double most = 1.15, double base_tokens = 256,
                               double most_tokens = 4096) {
  return std::exp(base + (most - base) * (tokens - base_tokens) / (most_tokens - base_tokens));
}

/// Moves a time of a flow towards noise (Esser et al. 2024, arXiv 2403.03206, section 5.3.2).
inline double shifted(double t, double shift) { return shift * t / (1 + (shift - 1) * t); }

/// Evenly spaced times, shifted, and 0.
/// @throws std::invalid_argument naming the option that does not fit.
inline Schedule flow_times(const FlowOptions& o) {
  require(o.steps >= 1, "steps", o.steps, "1 or more");
  require(o.shift > 0 && std::isfinite(o.shift), "shift", o.shift, "positive numbers");
  require(o.first > 0 && o.first <= 1, "first", o.first, "numbers above 0, to 1");
  require(o.last >= 0 && o.last < o.first, "last", o.last, "0 and numbers below first");
  require(o.terminal >= 0 && o.terminal < 1, "terminal", o.terminal, "0 and numbers below 1");
  const double last = o.last > 0 ? o.last : o.first / o.steps;
  std::vector<double> levels;
  for (int i = 0; i < o.steps; ++i)
    levels.push_back(shifted(o.steps > 1 ? o.first + (last - o.first) * i / (o.steps - 1) : o.first, o.shift));
  if (o.terminal > 0 && o.steps > 1) {
    const double stretch = (1 - levels.back()) / (1 - o.terminal);
    for (double& level : levels) level = 1 - (1 - level) / stretch;
  }
  levels.push_back(0);
  return Schedule(levels);
}

}  // namespace fewstep
