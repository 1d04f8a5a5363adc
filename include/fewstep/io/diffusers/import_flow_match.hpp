// The schedulers of flow matching: FlowMatchEuler and FlowMatchHeun.
#pragma once

#include "import.hpp"

#include <cstddef>
#include <vector>

namespace fewstep::io::detail {

template <State X>
DiffusersScheduler<X> DiffusersImport<X>::flow_match(bool heun) {
  const bool dynamic = !heun && c_.flag("use_dynamic_shifting");
  TimeShift shift{c_.positive("shift", 1)};
  std::vector<double> times;
  if (heun) {
    takes_no_mu();
    takes_no_sigmas();
    times = flow_match_times(c_, steps_, shift, false, call_.corrected, {});
  } else {
    c_.knows({"base_shift", "max_shift", "base_image_seq_len", "max_image_seq_len", "sigma_min", "sigma_max"});
    for (const char* name : {"invert_sigmas", "stochastic_sampling"}) c_.require_off(name);
    c_.choice("time_shift_type", "exponential", {"exponential", "linear"});
    if (dynamic) shift.factor = dynamic_shift(c_, call_.mu);
    shift.terminal = shift_terminal(c_);
    const auto steps = static_cast<std::size_t>(steps_);
    require(call_.sigmas.empty() || call_.sigmas.size() == steps, "the number of sigmas", call_.sigmas.size(),
            {steps_, ", num_inference_steps"});
    times = flow_match_times(c_, steps_, shift, dynamic, call_.corrected, call_.sigmas);
    const Range range = diffusers_range(c_);
    if (range != Range::none) times = range_levels(c_, range, steps_, times.back(), times.front());
  }
  const double scale = training_step_count(c_, 1);
  DiffusersScheduler<X> made{
      heun ? AnySolver<X>(Heun{}) : AnySolver<X>(Euler{}), Schedule({1, 0}), {}, 1, 1, Predicts::flow, true};
  for (const double t : times) made.labels.push_back(t * scale);
  require_one_start(made.labels);
  times.push_back(0);
  made.schedule = Schedule(times);
  made.label_kind = Label::flow_time;
  made.label_scale = scale;
  made.input = InputScale::none;
  if (!dynamic && shift.factor != 1 && call_.sigmas.empty() && steps_ > 1)
    made.notes.push_back("the smallest time is shifted twice");
  made.ignored = c_.ignored();
  return made;
}

}  // namespace fewstep::io::detail
