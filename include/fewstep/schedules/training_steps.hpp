// Schedules at training steps of a network with a table of betas, chosen as in diffusers.
#pragma once

#include "../level.hpp"
#include "../processes/noise_table.hpp"
#include "../schedule.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <string_view>
#include <vector>

namespace fewstep {

/// How training steps are chosen from 0 to count - 1.
///
///   linspace   evenly spaced, with both ends
///   leading    0 and whole multiples of count/steps
///   trailing   count - 1 and down from it by count/steps
///
/// Source: diffusers' timestep_spacing; Lin et al. 2023, arXiv 2305.08891, table 2.
enum class Spacing { linspace, leading, trailing };
constexpr std::array<std::string_view, 3> names_of(Spacing) { return {"linspace", "leading", "trailing"}; }

/// Options of training_steps().
struct TrainingStepsOptions {
  int steps;                           ///< 1 to the number of training steps
  Spacing spacing = Spacing::leading;  ///< diffusers' timestep_spacing
  int offset = 0;                      ///< added to `leading` steps; diffusers' steps_offset, 1 for Stable Diffusion
  bool rounded = true;                 ///< round to whole training steps
  bool spare_last = false;             ///< choose one more and drop the lowest, as diffusers' multistep schedulers do
};

/// Chooses training steps.
/// @param count  number of training steps of the network
/// @return o.steps training steps, decreasing
/// @throws std::invalid_argument for steps out of range.
inline std::vector<double> training_steps(std::size_t count, const TrainingStepsOptions& o) {
  require(o.steps >= 1 && static_cast<std::size_t>(o.steps) <= count, "steps", o.steps, {"1 to ", count});
  require(o.offset >= 0 && static_cast<std::size_t>(o.offset) <= count, "offset", o.offset, {"0 to ", count});
  const int chosen = o.steps + (o.spare_last && o.spacing != Spacing::trailing ? 1 : 0);
  const int stride = static_cast<int>(count) / chosen;  // of leading steps
  const double total = static_cast<double>(count);
  std::vector<double> list;
  for (int i = 0; i < o.steps; ++i) {
    double step = 0;
    switch (o.spacing) {
      case Spacing::linspace: step = chosen > 1 ? (total - 1) * (1 - static_cast<double>(i) / (chosen - 1)) : 0; break;
      case Spacing::leading: step = (chosen - 1 - i) * stride + o.offset; break;
      case Spacing::trailing: step = std::nearbyint(total - i * total / o.steps) - 1; break;
    }
    list.push_back(o.rounded ? std::nearbyint(step) : step);  // rounds halves to even, as numpy does
  }
  return list;
}

/// How a level between two training steps is interpolated: linearly in sigma (diffusers) or in log(sigma) (k-diffusion,
/// ComfyUI).
enum class Between { sigma, log_sigma };
constexpr std::array<std::string_view, 2> names_of(Between) { return {"sigma", "log_sigma"}; }

/// Returns the noise level at a training step.
/// @param step  0 to table.size() - 1, whole or not
inline double level_at(const NoiseTable& table, double step, Between between = Between::sigma) {
  const double count = static_cast<double>(table.size());
  const double low = std::clamp(std::floor(step), 0., count - 2), share = step - low;
  const double a = table.sigma((low + 1) / count), b = table.sigma((low + 2) / count);
  return between == Between::sigma ? a + share * (b - a) : detail::geometric(share, a, b);
}

}  // namespace fewstep
