// Schedules published as lists of levels, and the resampling of a list to another number of steps.
#pragma once

#include "../level.hpp"
#include "../schedule.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace fewstep {

/// Resamples a list of levels to another number of steps, linearly in log(sigma) over the position in the list.
/// @param levels  2 or more, decreasing and positive
/// @param steps   1 or more
/// @param end     zero: the last level is replaced by 0
/// @throws std::invalid_argument for levels or steps out of range.
inline Schedule stretched(const std::vector<double>& levels, int steps, End end = End::sigma_min) {
  const Schedule given(levels);
  require(given.decreasing() && levels.back() > 0, "the last level", levels.back(), "positive numbers below the first");
  detail::require_steps(steps);
  std::vector<double> resampled;
  for (int i = 0; i <= steps; ++i) {
    const double place = static_cast<double>(i) / steps * static_cast<double>(given.steps());
    const auto low = (std::min)(static_cast<std::size_t>(place), given.steps() - 1);
    resampled.push_back(detail::geometric(place - static_cast<double>(low), levels[low], levels[low + 1]));
  }
  resampled.front() = levels.front();
  resampled.back() = end == End::zero ? 0 : levels.back();
  return Schedule(resampled);
}

/// Align Your Steps: a schedule that was optimised for one model.
/// @param model  "sd1", "sdxl" or "svd"
/// @param steps  1 or more; the published lists have 10 steps and are resampled for other numbers
/// @param end    zero, as in published programs: the last level is replaced by 0
/// @throws std::invalid_argument for another model, or steps out of range.
/// Source: Sabour et al. 2024, arXiv 2404.14507.
inline Schedule align_your_steps(std::string_view model, int steps = 10, End end = End::zero) {
  if (model == "sd1")
    return stretched({14.6146412293, 6.4745760956, 3.8636745985, 2.6946151520, 1.8841921177, 1.3943805092, 0.9642583904,
                      0.6523686016, 0.3977456272, 0.1515232662, 0.0291671582},
                     steps, end);
  if (model == "sdxl")
    return stretched({14.6146412293, 6.3184485287, 3.7681790315, 2.1811480769, 1.3405244945, 0.8620721141, 0.5550693289,
                      0.3798540708, 0.2332364134, 0.1114188177, 0.0291671582},
                     steps, end);
  if (model == "svd")
    return stretched({700, 54.5, 15.886, 7.977, 4.248, 1.789, 0.981, 0.403, 0.173, 0.034, 0.002}, steps, end);
  refuse("model", model, "sd1, sdxl, svd");
}

}  // namespace fewstep
