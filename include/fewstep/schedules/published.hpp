// Schedules that were published as numbers, and lists stretched to other lengths.
#pragma once

#include "../schedule.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace fewstep {

/// A list of levels at another number of steps, on lines in log sigma over the position in the list.
/// @param levels  decreasing and positive
inline Schedule stretched(const std::vector<double>& levels, int steps, End end = End::sigma_min) {
  const Schedule given(levels);
  require(given.decreasing() && levels.back() > 0, "the last level", levels.back(), "positive numbers below the first");
  require(steps >= 1, "steps", steps, "1 or more");
  std::vector<double> made;
  for (int i = 0; i <= steps; ++i) {
    const double place = static_cast<double>(i) / steps * static_cast<double>(given.steps());
    const auto low = (std::min)(static_cast<std::size_t>(place), given.steps() - 1);
    made.push_back(levels[low] * std::pow(levels[low + 1] / levels[low], place - static_cast<double>(low)));
  }
  made.front() = levels.front();
  made.back() = end == End::zero ? 0 : levels.back();
  return Schedule(made);
}

/// Align Your Steps, optimised for one model each: "sd1", "sdxl", "svd". The published lists have 10 steps; others are
/// stretched. As it is used, the last level is replaced by 0 (End::zero). Source: Sabour et al. 2024, arXiv 2404.14507.
inline Schedule align_your_steps(std::string_view model, int steps = 10, End end = End::zero) {
  if (model == "sd1")
    return stretched({14.6146412293, 6.4745760956, 3.8636745985, 2.6946151520, 1.8841921177, 1.3943805092, 0.9642583904,
                      0.6523686016, 0.3977456272, 0.1515232662, 0.0291671582},
                     steps, end);
  if (model == "sdxl")
    return stretched({14.6146412293, 6.3184485287, 3.7681790315, 2.1811480769, 1.3405244945, 0.8620721141, 0.5550693289,
                      0.3798540708, 0.2332364134, 0.1114188177, 0.0291671582},
                     steps, end);
  require(model == "svd", "model", model, "sd1, sdxl, svd");
  return stretched({700, 54.5, 15.886, 7.977, 4.248, 1.789, 0.981, 0.403, 0.173, 0.034, 0.002}, steps, end);
}

}  // namespace fewstep
