#pragma once

#include "../schedule.hpp"

namespace fewstep {

/// Options of flow_uniform().
struct FlowUniformOptions {
  int steps;                 ///< 1 or more
  double sigma_min = 0.002;  ///< last level above 0
  double sigma_max = 80;     ///< first level
  End end = End::sigma_min;  ///< zero: the last of the steps goes from sigma_min to 0
};

/// Levels uniform in the time sigma/(1 + sigma) of a rectified flow, whatever the model was trained with: many high
/// levels, and few below 0.1. In flow time itself, with shifts: flow_times().
/// @return o.steps + 1 levels
/// @throws std::invalid_argument for an option out of range.
/// Source: Liu et al. 2023, arXiv 2209.03003 (uniform steps of the flow).
inline Schedule flow_uniform(const FlowUniformOptions& o) {
  const double first = o.sigma_max / (1 + o.sigma_max), last = o.sigma_min / (1 + o.sigma_min);
  return detail::spaced(o, [&](double u) {
    const double t = first + u * (last - first);
    return t / (1 - t);
  });
}

}  // namespace fewstep
