// What diffusers' float arithmetic does to the samples of a run.
#pragma once

#include "../../run.hpp"
#include "../../scalar.hpp"
#include "scheduler.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace fewstep::io::detail {

/// E[x0 | x0 + sigma n = x] for data of two peaks, at -1 and 1 with deviation 0.25.
inline double peaks(double x, double sigma) {
  constexpr double variance = 0.25 * 0.25;
  const double total = variance + sigma * sigma;
  return (sigma * sigma * std::tanh(x / total) + variance * x) / total;
}

/// What diffusers computes in float: nothing that matters, differences of levels, the denoised image of a predicted
/// noise in the scale of the network's input, or exponentials of differences of log(sigma).
/// Those of DEIS of order 3 cancel, the more the closer its levels are.
enum class FloatPart { none, levels, noise, logarithms, cancelling_logarithms };

/// Returns the error of a denoised image relative to its state from that arithmetic.
inline double rounding_at(FloatPart part, double sigma) {
  constexpr double half_unit = 6e-8, of_alpha = 1.3e-7;
  const double log = std::abs(std::log(sigma));  // has an error of half a unit in its last place
  switch (part) {
    case FloatPart::none: return 0;
    case FloatPart::levels: return half_unit;
    case FloatPart::noise: return of_alpha;
    default: break;
  }
  const double of_log = log < 1 ? half_unit : half_unit * std::exp2(std::floor(std::log2(log)));
  return part == FloatPart::logarithms ? of_log : 2 * of_log;
}

/// Returns the relative error of the weights of DEIS of order 3 at a level of a run: they are differences of terms of
/// the size sigma (1 + log(sigma)^2), divided by the distances of log(sigma) to the two levels before.
inline double deis_rounding(const Schedule& schedule, double sigma) {
  constexpr double half_unit = 6e-8;
  for (std::size_t i = 2; i < schedule.steps(); ++i) {
    if (schedule[i] != sigma) continue;
    const double log = std::log(sigma), near = std::log(schedule[i - 1] / sigma),
                 far = std::log(schedule[i - 2] / sigma);
    return half_unit * (1 + log * log) / (near * far) * sigma / (sigma - schedule[i + 1]);
  }
  return 0;
}

/// Returns how much diffusers' samples of data of unit size differ from exact ones because it computes in float: the
/// largest change of some runs when each denoised image changes by its rounding.
///
/// The error is that of float(sigma): at level 20000, where tables of the beta_schedule squaredcos_cap_v2 begin, 0.001.
/// It vanishes on the way down, unless a step leads from there to a small level.
inline double float_error(const DiffusersScheduler<double>& run, FloatPart part) {
  constexpr double harmless = 10, half_unit = 6e-8, large_noise = 1.7;  // level; of a float; of unit noise
  const double first = run.schedule[0];
  const std::size_t steps = (std::min)(run.options.last_step, run.schedule.steps());
  if (run.native_flow || first < harmless || steps == 0) return 0;
  // A run of length 0, whose samples are as large as its level; in a flow's scale they are divided by 1 - t.
  double worst = steps == 1 && run.schedule[1] > first / 2 ? half_unit * large_noise * first : 0;
  if (run.input == InputScale::flow) worst *= first;
  if (part == FloatPart::none || (part == FloatPart::noise && run.input == InputScale::flow)) return worst;
  for (const double noise : {-1.6, -1., -0.5, -0.2, 0., 0.2, 0.6, 1.2, 1.7}) {
    const double exact = sample(run.solver, peaks, run.schedule, noise, run.options).x;
    for (const int pattern : {1, 2, 3, 4}) {
      int call = 0;
      const auto rounded = [&](double x, double sigma) {
        const bool up = pattern == 4 || (++call / pattern) % 2 == 0;
        const double weights = part == FloatPart::cancelling_logarithms ? deis_rounding(run.schedule, sigma) : 0;
        return peaks(x, sigma) + (up ? 1 : -1) * (rounding_at(part, sigma) + weights) * x;
      };
      worst = (std::max)(worst, std::abs(sample(run.solver, rounded, run.schedule, noise, run.options).x - exact));
    }
  }
  return worst;
}

}  // namespace fewstep::io::detail
