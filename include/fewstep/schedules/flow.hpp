// Schedules of flow matching models, in the flow's own time from 1 (noise) to 0 (data): for from_flow_native.
#pragma once

#include "../schedule.hpp"

#include <cmath>
#include <vector>

namespace fewstep {

/// Options of flow_times().
struct FlowOptions {
  int steps;            ///< 1 or more
  double shift = 1;     ///< above 0; above 1 moves times towards noise, see shifted(): 3 for SD3, exp(1.15) = 3.16 for
                        ///< Flux at 4096 tokens
  double terminal = 0;  ///< in [0, 1); above 0: times are stretched until the last one above 0 has this value
  double first = 1;     ///< in (0, 1]; first time, before the shift
  double last = 0;      ///< in [0, first); last time above 0, before the shift; 0: first/steps
};

/// Returns the shift for an image of `tokens` tokens: log(shift) is linear in the number of tokens.
/// @param base_shift, base_tokens  log(shift) at base_tokens
/// @param max_shift, max_tokens    log(shift) at max_tokens
/// The defaults are those of Flux and SD3.5.
inline double resolution_shift(double tokens, double base_shift = 0.5, double max_shift = 1.15,
                               double base_tokens = 256, double max_tokens = 4096) {
  return std::exp(base_shift + (max_shift - base_shift) * (tokens - base_tokens) / (max_tokens - base_tokens));
}

/// Moves a flow time towards noise: t -> shift t/(1 + (shift - 1) t).
/// @param t      0 to 1
/// @param shift  above 0; 1: no change
/// Source: Esser et al. 2024, arXiv 2403.03206, section 5.3.2.
inline double shifted(double t, double shift) { return shift * t / (1 + (shift - 1) * t); }

/// Evenly spaced flow times, shifted, followed by 0.
/// @return o.steps + 1 times
/// @throws std::invalid_argument for an option out of range.
inline Schedule flow_times(const FlowOptions& o) {
  detail::require_steps(o.steps);
  require(o.shift > 0 && std::isfinite(o.shift), "shift", o.shift, "positive numbers");
  require(o.first > 0 && o.first <= 1, "first", o.first, "above 0, at most 1");
  require(o.last >= 0 && o.last < o.first, "last", o.last, "0 or more, below first");
  require(o.terminal >= 0 && o.terminal < 1, "terminal", o.terminal, "0 or more, below 1");
  const double last = o.last > 0 ? o.last : o.first / o.steps;
  std::vector<double> times;
  for (int i = 0; i < o.steps; ++i)
    times.push_back(shifted(o.steps > 1 ? o.first + (last - o.first) * i / (o.steps - 1) : o.first, o.shift));
  if (o.terminal > 0 && o.steps > 1) {
    const double stretch = (1 - times.back()) / (1 - o.terminal);
    for (double& t : times) t = 1 - (1 - t) / stretch;
  }
  times.push_back(0);
  return Schedule(times);
}

}  // namespace fewstep
