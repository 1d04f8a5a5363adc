// The levels of diffusers' schedulers for flows, and of its other schedulers with use_flow_sigmas.
#pragma once

#include "../../processes/noise_table.hpp"
#include "../../schedules/flow.hpp"
#include "levels.hpp"

#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace fewstep::io::detail {

/// How a flow's times are shifted towards noise.
struct TimeShift {
  double factor = 1;  // of shifted()
  double terminal = 0;

  double operator()(double t) const { return shifted(t, factor); }
  /// Stretches the times so that the last one is `terminal`.
  void stretch(std::vector<double>& times) const {
    if (terminal == 0) return;
    require(times.back() < 1, "shift_terminal", terminal, "null for a single time of 1");
    const double factor_of_rest = (1 - times.back()) / (1 - terminal);
    for (double& t : times) t = 1 - (1 - t) / factor_of_rest;
  }
};

/// Reads shift_terminal.
inline double shift_terminal(const DiffusersSettings& c) {
  const double terminal = c.find<double>("shift_terminal").value_or(0);
  require(terminal >= 0 && terminal < 1, "shift_terminal", terminal, "0 or more, below 1");
  return terminal;
}

/// Returns the factor of use_dynamic_shifting: exp(mu), or mu for the time_shift_type linear.
/// @throws std::invalid_argument where mu is missing.
inline double dynamic_shift(const DiffusersSettings& c, const std::optional<double>& mu) {
  const bool linear = c.choice("time_shift_type", "exponential", {"exponential", "linear"}) == "linear";
  if (!mu) refuse("mu", "missing", "a number with use_dynamic_shifting");
  const double factor = linear ? *mu : std::exp(*mu);
  require(std::isfinite(factor) && factor > 0, "mu", *mu, linear ? "positive numbers" : "numbers of moderate size");
  return factor;
}

/// Checks sigmas that a caller gave as times of a flow.
inline void require_times(const std::vector<double>& sigmas) {
  for (const double sigma : sigmas) require(sigma > 0 && sigma <= 1, "a number of sigmas", sigma, "above 0, at most 1");
}

/// The times of FlowMatchEulerDiscreteScheduler and FlowMatchHeunDiscreteScheduler without the 0 at their end.
/// @param once  shifts the smallest time once; diffusers shifts it twice
inline std::vector<double> flow_match_times(const DiffusersSettings& c, int steps, const TimeShift& shift, bool dynamic,
                                            bool once, const std::vector<double>& sigmas) {
  require_times(sigmas);
  std::vector<double> times = sigmas;
  const double least = 1. / training_step_count(c, 1), last = dynamic || once ? least : shift(least);
  for (int i = 0; sigmas.empty() && i < steps; ++i) times.push_back(steps > 1 ? 1 + (last - 1) * i / (steps - 1) : 1);
  for (double& t : times) t = shift(t);
  shift.stretch(times);
  return times;
}

/// use_flow_sigmas of DPM-Solver, DEIS and SA-Solver: the times at least 1/count from 1, shifted.
inline std::vector<double> plain_flow_times(int count, int steps, double shift) {
  std::vector<double> times;
  for (int i = 0; i < steps; ++i)  // diffusers makes steps + 1 times and leaves out the last, which is 0
    times.push_back(shifted((1 - 1. / count) * (steps - i) / steps, shift));
  return times;
}

/// use_flow_sigmas of UniPC: times from 1, which becomes 1 - 1e-6, to above 1/count.
inline std::vector<double> unipc_flow_times(int count, int steps, const TimeShift& shift, std::vector<double> times) {
  constexpr double nearly_one = 1e-6;
  require_times(times);
  for (int i = 0; i < steps && static_cast<int>(times.size()) < steps; ++i)
    times.push_back(1 + (1. / count - 1) * i / steps);
  for (double& t : times) t = shift(t);
  shift.stretch(times);
  if (std::abs(times[0] - 1) < nearly_one) times[0] -= nearly_one;
  return times;
}

/// Turns times into levels. Labels are the times on the scale of training steps, rounded down.
inline DiffusersLevels flow_levels(const std::vector<double>& times, const TrainingLevels& training) {
  DiffusersLevels made;
  for (const double t : times) {
    made.levels.push_back(flow_level(training.rounded(t)));
    made.labels.push_back(std::floor(t * training.count()));
  }
  require_one_start(made.labels);
  return made;
}

/// Levels of a range, which diffusers takes for times of a flow under use_flow_sigmas.
inline DiffusersLevels as_flow_times(DiffusersLevels made) {
  for (double& level : made.levels) level = flow_level(level);
  made.end = flow_level(made.end);
  return made;
}

}  // namespace fewstep::io::detail
