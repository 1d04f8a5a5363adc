// ComfyUI's schedules of the same names, for networks with a NoiseTable and for flows with a FlowTable.
#pragma once

#include "../errors.hpp"
#include "../schedule.hpp"
#include "training_steps.hpp"
#include "training_table.hpp"

#include <cmath>
#include <cstddef>
#include <vector>

namespace fewstep {

namespace detail {

/// The step at which ComfyUI's even spacing ends: the lowest. It takes a flow's lowest time for one before the shift,
/// and shifts it again.
inline double lowest_even_step(const TrainingTable& table) {
  return table.is_flow() ? table.sigma_min() * static_cast<double>(table.size()) - 1 : 0;
}

/// The first `steps` of `chosen` evenly spaced training steps, followed by 0.
inline Schedule even_steps(const TrainingTable& table, int steps, int chosen) {
  require(steps >= 1 && static_cast<std::size_t>(steps) <= table.size(), "steps", steps, {"1 to ", table.size()});
  const double highest = static_cast<double>(table.size()) - 1, lowest = lowest_even_step(table);
  std::vector<double> list;
  for (int i = 0; i < steps; ++i)
    list.push_back(chosen > 1 ? highest + (lowest - highest) * i / (chosen - 1) : highest);
  return at_training_steps(table, list, End::zero, Between::log_sigma);
}

}  // namespace detail

/// Evenly spaced training steps, with both ends, followed by 0. Those of a flow end at shifted(sigma_min, shift).
/// @param steps  1 to the number of training steps
/// @throws std::invalid_argument for steps out of range.
inline Schedule normal(const TrainingTable& table, int steps) { return detail::even_steps(table, steps, steps); }

/// Evenly spaced training steps without the lowest, followed by 0: `normal` with one more step, the last of which is
/// dropped.
/// @param steps  1 to the number of training steps
/// @throws std::invalid_argument for steps out of range.
inline Schedule sgm_uniform(const TrainingTable& table, int steps) {
  return detail::even_steps(table, steps, steps + 1);
}

/// Every (count/steps)-th training step, down from the highest, followed by 0.
/// @param steps  1 to the number of training steps
/// @throws std::invalid_argument for steps out of range.
inline Schedule simple(const TrainingTable& table, int steps) {
  require(steps >= 1 && static_cast<std::size_t>(steps) <= table.size(), "steps", steps, {"1 to ", table.size()});
  std::vector<double> chosen;
  for (int i = 0; i < steps; ++i)
    chosen.push_back(static_cast<double>(table.size()) - 1 - std::floor(i * static_cast<double>(table.size()) / steps));
  return at_training_steps(table, chosen);
}

/// Every (count/steps)-th training step, up from the second, with count/steps rounded down, followed by 0. Where steps
/// does not divide count, the schedule has more steps than requested.
/// @param steps  1 to the number of training steps minus 1
/// @throws std::invalid_argument for steps out of range.
inline Schedule ddim_uniform(const TrainingTable& table, int steps) {
  require(steps >= 1 && static_cast<std::size_t>(steps) < table.size(), "steps", steps, {"1 to ", table.size() - 1});
  std::vector<double> chosen;
  for (std::size_t step = 1; step < table.size(); step += table.size() / static_cast<std::size_t>(steps))
    chosen.insert(chosen.begin(), static_cast<double>(step));
  return at_training_steps(table, chosen);
}

}  // namespace fewstep
