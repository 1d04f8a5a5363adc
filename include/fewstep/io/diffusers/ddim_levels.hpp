// The levels of DDIM, PNDM and IPNDM.
#pragma once

#include "../../solvers/compat/diffusers/pndm.hpp"
#include "levels.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <vector>

namespace fewstep::io::detail {

/// The levels of DDIMScheduler.
struct DdimLevels {
  DiffusersLevels run;
  std::vector<double> reached;  // the level that each step leads to
  bool no_signal = false;       // the first level is infinite, and 1e14 here
};

inline DdimLevels ddim_levels(const DiffusersSettings& c, const TrainingLevels& table, int steps, bool zero_snr) {
  constexpr double no_signal = 1e14;  // the denoised form steps from any level
  const int count = table.count();
  require(steps <= count, "num_inference_steps", steps, {"1 to ", count, ", the number of training steps"});
  const StepRules rules{.spacing = diffusers_spacing(c, Spacing::leading),
                        .offset = c.whole("steps_offset", 0, 0, count),
                        .rounded = true};
  const int stride = count / steps;  // whole, as diffusers divides
  DdimLevels made;
  made.run.labels = chosen_steps(count, count, steps, rules);
  require_in_table(made.run.labels, count, steps);
  const double last = c.flag("set_alpha_to_one", true) ? 0 : table.low();
  for (const double step : made.run.labels) {
    made.run.levels.push_back(table.at(step));
    made.reached.push_back(step >= stride ? table.at(step - stride) : last);
  }
  made.no_signal = zero_snr && made.run.labels[0] == count - 1;
  if (made.no_signal) made.run.levels[0] = no_signal;
  made.run.end = last;  // whatever level the last step leads to
  return made;
}

/// The levels of PNDMScheduler, and its solver.
struct PndmLevels {
  DiffusersLevels run;
  compat::Pndm solver;
};

inline PndmLevels pndm_levels(const DiffusersSettings& c, const TrainingLevels& table, int steps) {
  constexpr int runge_kutta_steps = 3;
  const int count = table.count(), stride = count / steps, half = stride / 2;
  const bool plms = c.flag("skip_prk_steps");
  require(plms || steps > runge_kutta_steps, "num_inference_steps", steps, "4 or more without skip_prk_steps");
  const StepRules rules{.spacing = diffusers_spacing(c, Spacing::leading),
                        .offset = c.whole("steps_offset", 0, 0, count),
                        .rounded = true};
  PndmLevels made;
  std::vector<double>& chosen = made.run.labels;
  chosen = chosen_steps(count, count, steps, rules);
  require_in_table(chosen, count, steps);
  const double last = c.flag("set_alpha_to_one") ? 0. : table.low();
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    made.run.levels.push_back(table.at(chosen[i]));
    made.solver.reached.push_back(chosen[i] >= stride ? table.at(chosen[i] - stride) : last);
    if (plms || i >= runge_kutta_steps) continue;
    made.solver.middles.push_back({table.at(chosen[i] - half), table.at(chosen[i + 1] + half)});
    made.solver.reached.back() = table.at(chosen[i + 1]);
  }
  if (chosen.size() > 1) made.solver.restart = table.at(chosen[1] + stride);
  made.run.end = 0;  // pipelines take the last sample for data, although it has the noise of the lowest level
  return made;
}

/// Returns the levels of IPNDMScheduler: beta/sqrt(1 - beta^2), beta = sin^2(pi/2 u), for `steps` values of u evenly
/// spaced from 1 to above 0. At the first, where there is no signal, diffusers takes the noise as the slope.
inline DiffusersLevels ipndm_levels(int steps) {
  DiffusersLevels made;
  for (int i = 0; i < steps; ++i) {
    const double u = 1 - static_cast<double>(i) / steps, beta = std::pow(std::sin(u * std::numbers::pi / 2), 2);
    made.levels.push_back(beta / std::sqrt(1 - beta * beta));
    made.labels.push_back(2 / std::numbers::pi * std::asin(beta));
  }
  made.levels[0] = steps > 1 ? 2 * made.levels[1] : 1;  // in place of infinity; compat::IpndmFromNoise divides by it
  return made;
}

}  // namespace fewstep::io::detail
