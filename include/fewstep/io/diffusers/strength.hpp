// Runs over a part of an imported schedule: image-to-image.
#pragma once

#include "../../errors.hpp"
#include "scheduler.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace fewstep::io {

/// Returns the step at which diffusers' image-to-image pipelines start: the last `strength` of the steps are run.
/// @param steps     of the run
/// @param strength  above 0, at most 1: 1 runs all steps
/// @throws std::invalid_argument for a strength out of range, or one that leaves no step.
inline std::size_t first_step(std::size_t steps, double strength) {
  require(strength > 0 && strength <= 1, "strength", strength, "above 0, at most 1");
  const auto run = static_cast<std::size_t>(std::floor(static_cast<double>(steps) * strength));
  require(run > 0, "strength", strength, {"1/", steps, " or more, so that a step is left"});
  return steps - run;
}

namespace detail {

/// Sets the step at which the run starts; an analytic first step belongs to the first level alone.
template <State X>
void start_at_step(DiffusersScheduler<X>& scheduler, std::size_t step) {
  Options& options = scheduler.options;
  options.first_step = step;
  if (step == 0 || !options.analytic_first_step) return;
  options.analytic_first_step = false;
  --scheduler.idle_evaluations;
}

}  // namespace detail

/// Lets the run start as diffusers' image-to-image pipelines do: from an image plus noise of the level
/// schedule[options.first_step]; see integrate().
/// @throws std::invalid_argument for a strength out of range.
template <State X>
void set_strength(DiffusersScheduler<X>& scheduler, double strength) {
  detail::start_at_step(scheduler, first_step(scheduler.schedule.steps(), strength));
}

/// Lets the run start at the highest of its levels that is at most `level`.
/// @throws std::invalid_argument where no step is left.
template <State X>
void start_at(DiffusersScheduler<X>& scheduler, double level) {
  std::size_t i = 0;
  while (i < scheduler.schedule.steps() && scheduler.schedule[i] > level) ++i;
  const std::size_t last = (std::min)(scheduler.options.last_step, scheduler.schedule.steps());
  require(i < last, "level", level, {"the last level before the end, or more: ", scheduler.schedule[last - 1]});
  detail::start_at_step(scheduler, i);
}

/// Lets the run end at the lowest of its levels that is at least `level`.
/// @throws std::invalid_argument where no step is left.
template <State X>
void end_at(DiffusersScheduler<X>& scheduler, double level) {
  std::size_t i = scheduler.schedule.steps();
  while (i > 0 && scheduler.schedule[i] < level) --i;
  require(i > scheduler.options.first_step, "level", level,
          {"less than the first level, ", scheduler.schedule[scheduler.options.first_step]});
  scheduler.options.last_step = (std::min)(scheduler.options.last_step, i);
}

}  // namespace fewstep::io
