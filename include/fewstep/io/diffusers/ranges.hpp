// Levels between two ends: by Karras's rule, evenly spaced in log(sigma), and at quantiles of a beta distribution.
#pragma once

#include "../../errors.hpp"
#include "../../schedules/beta_quantiles.hpp"
#include "settings.hpp"

#include <cmath>
#include <optional>
#include <string>
#include <vector>

namespace fewstep::io::detail {

enum class Range { none, karras, exponential, beta };

/// Returns which of use_karras_sigmas, use_exponential_sigmas and use_beta_sigmas is true.
/// @throws std::invalid_argument where several are, or one is null: diffusers adds them up.
inline Range diffusers_range(const DiffusersSettings& c) {
  Range range = Range::none;
  const char* given = nullptr;
  for (const auto& [name, one] :
       {std::pair{"use_karras_sigmas", Range::karras}, std::pair{"use_exponential_sigmas", Range::exponential},
        std::pair{"use_beta_sigmas", Range::beta}}) {
    if (!c.flag_not_null(name)) continue;
    if (given) refuse(name, true, {"false with ", given});
    given = name;
    range = one;
  }
  return range;
}

/// Returns `steps` levels from high to low, both included; a single one is `high`.
/// @param rho  for Karras's rule
inline std::vector<double> range_levels(Range range, int steps, double low, double high, double rho = 7) {
  constexpr double shape = 0.6;  // of the beta distribution
  std::vector<double> levels;
  const double first = std::pow(high, 1 / rho), last = std::pow(low, 1 / rho);
  for (int i = 0; i < steps; ++i) {
    const double u = steps > 1 ? static_cast<double>(i) / (steps - 1) : 0;
    if (i == 0) levels.push_back(high);
    else if (i == steps - 1) levels.push_back(low);
    else if (range == Range::karras) levels.push_back(std::pow(first + u * (last - first), rho));
    else if (range == Range::exponential) levels.push_back(std::exp(std::log(high) + u * std::log(low / high)));
    else levels.push_back(low + beta_quantile(1 - u, shape, shape) * (high - low));
  }
  return levels;
}

/// The same within sigma_min and sigma_max of the configuration, where they are given.
inline std::vector<double> range_levels(const DiffusersSettings& c, Range range, int steps, double low, double high,
                                        bool takes_ends = true) {
  const auto end = [&](const char* name, double otherwise) {
    const double value = takes_ends ? c.find<double>(name).value_or(otherwise) : otherwise;
    require(value > 0 && std::isfinite(value), name, value, "positive numbers");
    return value;
  };
  const double first = end("sigma_max", high), last = end("sigma_min", low);
  require(steps == 1 || last < first, "sigma_min", last, {"less than the first level, ", first});
  return range_levels(range, steps, last, first);
}

}  // namespace fewstep::io::detail
