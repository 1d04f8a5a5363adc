#pragma once

#include "../errors.hpp"
#include "../level.hpp"
#include "../schedule.hpp"

#include <optional>
#include <vector>

namespace fewstep {

/// Options of linear_quadratic().
struct LinearQuadraticOptions {
  int steps;                             ///< 1 or more
  double threshold = 0.025;              ///< in (0, 1); share of sigma_max that the linear part covers
  std::optional<int> linear_steps = {};  ///< 1 to steps - 1; unset: half of the steps, rounded down
  double sigma_max = 1;                  ///< first level; 1 for flows
};

/// Levels that fall linearly at first, then quadratically to 0: the choice of Mochi and LTX-Video for flows.
///
///   level(i) = sigma_max (1 - p(i)),   p(i) = threshold i/m up to i = m, then the parabola with p and p' continuous
///   at m and p(steps) = 1
///
/// m: linear_steps. A single step goes from sigma_max to 0.
/// @return o.steps + 1 levels, the last one 0
/// @throws std::invalid_argument for an option out of range.
/// Source: Genmo's Mochi; ComfyUI's scheduler "linear_quadratic".
inline Schedule linear_quadratic(const LinearQuadraticOptions& o) {
  detail::require_steps(o.steps);
  require(o.threshold > 0 && o.threshold < 1, "threshold", o.threshold, "numbers between 0 and 1");
  require(detail::is_level(o.sigma_max), "sigma_max", o.sigma_max, detail::allowed_levels);
  if (o.steps == 1) return Schedule({o.sigma_max, 0});
  const int m = o.linear_steps.value_or(o.steps / 2), rest = o.steps - m;
  require(m >= 1 && m < o.steps, "linear_steps", m, {"1 to ", o.steps - 1});
  const double slope = o.threshold / m;
  const double curvature = (1 - o.threshold - slope * rest) / (static_cast<double>(rest) * rest);
  std::vector<double> levels;
  for (int i = 0; i < o.steps; ++i) {
    const double beyond = i > m ? i - m : 0;
    levels.push_back(o.sigma_max * (1 - slope * i - curvature * beyond * beyond));
  }
  levels.push_back(0);
  return Schedule(levels);
}

}  // namespace fewstep
