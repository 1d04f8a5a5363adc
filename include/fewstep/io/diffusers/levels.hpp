// The noise levels of diffusers' schedulers.
#pragma once

#include "../../processes/noise_table.hpp"
#include "../../schedules/flow.hpp"
#include "../../schedules/karras.hpp"
#include "../../schedules/log_uniform.hpp"
#include "../../schedules/training_steps.hpp"
#include "config.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

namespace fewstep::io::detail {

/// The levels at which the network is evaluated in a run, and the level after the last of them.
struct DiffusersLevels {
  std::vector<double> levels;
  double end = 0;
};

/// Returns `steps` levels, evenly spaced in log(sigma) or by Karras's rule, both ends included.
inline std::vector<double> level_range(bool exponential, int steps, double low, double high, double rho = 7) {
  if (steps == 1) return {high};
  return exponential ? log_uniform({.steps = steps - 1, .sigma_min = low, .sigma_max = high}).levels()
                     : karras({.steps = steps - 1, .rho = rho, .sigma_min = low, .sigma_max = high}).levels();
}

inline bool ends_at_zero(const JsonSettings& c) {
  return c.choice("final_sigmas_type", "zero", {"zero", "sigma_min"}) == "zero";
}

inline DiffusersLevels edm_levels(const JsonSettings& c, int steps) {
  const double low = c.get("sigma_min", 0.002), high = c.get("sigma_max", 80.);
  const bool exponential = c.choice("sigma_schedule", "karras", {"karras", "exponential"}) == "exponential";
  const std::vector<double> levels = level_range(exponential, steps, low, high, c.get("rho", 7.));
  return {levels, ends_at_zero(c) ? 0 : levels.back()};
}

/// Returns the levels t/(1 - t) of a flow's times t, for solvers that work on sigma.
inline DiffusersLevels flow_sigma_levels(const JsonSettings& c, int steps) {
  const double count = c.get("num_train_timesteps", 1000.), shift = c.get("flow_shift", 1.);
  DiffusersLevels made;
  for (int i = 0; i < steps; ++i) {  // diffusers makes steps + 1 levels and leaves out the last
    const double alpha = 1 + (1 / count - 1) * (steps - i) / steps, t = shifted(1 - alpha, shift);
    made.levels.push_back(t / (1 - t));
  }
  return made;
}

/// How schedulers with a table of noise levels differ.
struct DiscreteRules {
  bool multistep = false;         // the scheduler is one of diffusers' multistep schedulers
  bool ends_at_smallest = false;  // at the table's smallest level, or at the last of Karras's
};

inline DiffusersLevels discrete_levels(const JsonSettings& c, const NoiseTable& table, int steps,
                                       const DiscreteRules& rules) {
  const double low = table.sigma_min(), high = table.sigma_max();
  require(!c.get("use_beta_sigmas", false), "use_beta_sigmas", true, "false (beta_quantiles makes such levels)");
  if (c.get("use_flow_sigmas", false)) return flow_sigma_levels(c, steps);
  const bool karras_levels = c.get("use_karras_sigmas", false);
  const bool exponential = c.get("use_exponential_sigmas", false) || c.get("use_lu_lambdas", false);
  DiffusersLevels made;
  if (c.choice("interpolation_type", "linear", {"linear", "log_linear"}) == "log_linear") {
    made.levels = log_uniform({.steps = steps, .sigma_min = low, .sigma_max = high}).levels();
    made.end = made.levels.back();  // diffusers makes one more level than it visits
    made.levels.pop_back();
    return made;
  }
  const TrainingStepsOptions options{.steps = steps,
                                     .spacing = diffusers_spacing(c, Spacing::linspace),
                                     .offset = c.get("steps_offset", 0),
                                     .rounded = rules.multistep,
                                     .spare_last = rules.multistep};
  for (const double step : training_steps(table.size(), options)) made.levels.push_back(level_at(table, step));
  if (karras_levels || exponential) {
    // Multistep schedulers span the whole table, single-step ones the levels chosen so far.
    const double first = rules.multistep ? high : made.levels.front();
    const double last = rules.multistep ? low : made.levels.back();
    made.levels = level_range(exponential, steps, last, first);
  }
  if (rules.ends_at_smallest) made.end = karras_levels ? made.levels.back() : low;
  else made.end = ends_at_zero(c) ? 0 : low;
  return made;
}

/// The levels of DDIMScheduler.
struct DdimLevels {
  DiffusersLevels run;
  /// The levels that diffusers steps to, which differ from the next levels of the run where `steps` does not divide the
  /// number of training steps.
  std::vector<double> reached;
};

inline DdimLevels ddim_levels(const JsonSettings& c, const NoiseTable& table, int steps, Spacing spacing) {
  constexpr double no_signal = 1e14;  // a level in place of infinity; the denoised form steps from any level
  const auto count = static_cast<int>(table.size());
  const std::vector<double> chosen =
      training_steps(table.size(), {.steps = steps, .spacing = spacing, .offset = c.get("steps_offset", 0)});
  const int stride = count / steps;  // whole, as diffusers divides
  DdimLevels made;
  for (const double step : chosen) {
    made.run.levels.push_back(table.sigma((step + 1) / count));
    made.reached.push_back(table.sigma(((std::max)(step - stride, 0.) + 1) / count));
  }
  if (c.get("rescale_betas_zero_snr", false) && chosen[0] == count - 1) made.run.levels[0] = no_signal;
  made.run.end = c.get("set_alpha_to_one", true) ? 0 : table.sigma_min();
  return made;
}

/// Returns the levels of IPNDMScheduler: beta/sqrt(1 - beta^2), beta = sin^2(pi/2 u), for `steps` values of u evenly
/// spaced from 1 to above 0. At the first, diffusers takes the noise as the slope.
inline DiffusersLevels ipndm_levels(int steps) {
  constexpr double no_signal = 1e8;  // a level in place of infinity; golden_check allows an error of 1e-7 for it
  DiffusersLevels made;
  for (int i = 0; i < steps; ++i) {
    const double u = 1 - static_cast<double>(i) / steps, beta = std::pow(std::sin(u * std::numbers::pi / 2), 2);
    made.levels.push_back(i == 0 ? no_signal : beta / std::sqrt(1 - beta * beta));
  }
  return made;
}

/// Returns the times of FlowMatchEulerDiscreteScheduler, from 1 to 0.
inline std::vector<double> flow_match_times(const JsonSettings& c, int steps, double mu,
                                            const std::vector<double>& sigmas) {
  const double count = c.get("num_train_timesteps", 1000, 1, most_training_steps), shift = c.get("shift", 1.);
  const double terminal = c.get("shift_terminal", 0.);
  require_off(c, {"invert_sigmas", "stochastic_sampling", "use_beta_sigmas", "use_exponential_sigmas"});
  const bool dynamic = c.get("use_dynamic_shifting", false);
  if (dynamic) c.choice("time_shift_type", "exponential", {"exponential"});
  const double time_shift = dynamic ? std::exp(mu) : shift;
  // Diffusers shifts the range of times before it shifts the times.
  const double last = dynamic ? 1 / count : shifted(1 / count, shift);
  std::vector<double> times;
  if (sigmas.empty()) {
    times = flow_times({.steps = steps, .shift = time_shift, .terminal = terminal, .last = last}).levels();
    times.pop_back();
  } else {
    require(sigmas.size() == static_cast<std::size_t>(steps), "the number of sigmas", sigmas.size(),
            {steps, ", num_inference_steps"});
    for (const double sigma : sigmas) {
      require(sigma > 0 && sigma <= 1, "a number of sigmas", sigma, "above 0, at most 1");
      times.push_back(shifted(sigma, time_shift));
    }
  }
  if (c.get("use_karras_sigmas", false)) times = level_range(false, steps, times.back(), times.front());
  times.push_back(0);
  return times;
}

}  // namespace fewstep::io::detail
