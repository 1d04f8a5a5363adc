// Schedules at training steps of a network with a table of betas, chosen as in diffusers and ComfyUI.
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

/// Returns the schedule of the levels at given training steps, followed by 0 or by the table's lowest level.
/// @param steps    training steps, decreasing, each 0 to table.size() - 1
/// @param end      the last level: 0, or table.sigma_min()
/// @param between  how levels between training steps are interpolated
/// @throws std::invalid_argument unless the levels decrease.
inline Schedule at_training_steps(const NoiseTable& table, const std::vector<double>& steps, End end = End::zero,
                                  Between between = Between::sigma) {
  std::vector<double> levels;
  for (const double step : steps) levels.push_back(level_at(table, step, between));
  levels.push_back(end == End::zero ? 0 : table.sigma_min());
  return Schedule(levels);
}

// ComfyUI's schedulers of the same names.

/// Evenly spaced training steps, with both ends, followed by 0.
/// @param steps  1 to the number of training steps
/// @throws std::invalid_argument for steps out of range.
inline Schedule normal(const NoiseTable& table, int steps) {
  const TrainingStepsOptions options{.steps = steps, .spacing = Spacing::linspace, .rounded = false};
  return at_training_steps(table, training_steps(table.size(), options), End::zero, Between::log_sigma);
}

/// Evenly spaced training steps without the lowest, followed by 0: `normal` with one more step, the last of which is
/// dropped.
/// @param steps  1 to the number of training steps
/// @throws std::invalid_argument for steps out of range.
inline Schedule sgm_uniform(const NoiseTable& table, int steps) {
  const TrainingStepsOptions options{
      .steps = steps, .spacing = Spacing::linspace, .rounded = false, .spare_last = true};
  return at_training_steps(table, training_steps(table.size(), options), End::zero, Between::log_sigma);
}

/// Every (count/steps)-th training step, down from the highest, followed by 0.
/// @param steps  1 to the number of training steps
/// @throws std::invalid_argument for steps out of range.
inline Schedule simple(const NoiseTable& table, int steps) {
  require(steps >= 1 && static_cast<std::size_t>(steps) <= table.size(), "steps", steps, {"1 to ", table.size()});
  std::vector<double> chosen;
  for (int i = 0; i < steps; ++i)
    chosen.push_back(static_cast<double>(table.size()) - 1 - std::floor(i * static_cast<double>(table.size()) / steps));
  return at_training_steps(table, chosen);
}

/// Every (count/steps)-th training step, up from 1, with count/steps rounded down, followed by 0. Where steps does not
/// divide count, the schedule has more steps than requested.
/// @param steps  1 to the number of training steps minus 1
/// @throws std::invalid_argument for steps out of range.
inline Schedule ddim_uniform(const NoiseTable& table, int steps) {
  require(steps >= 1 && static_cast<std::size_t>(steps) < table.size(), "steps", steps, {"1 to ", table.size() - 1});
  std::vector<double> chosen;
  for (std::size_t step = 1; step < table.size(); step += table.size() / static_cast<std::size_t>(steps))
    chosen.insert(chosen.begin(), static_cast<double>(step));
  return at_training_steps(table, chosen);
}

namespace detail {

/// The regularised incomplete beta function I_x(a, b), by its continued fraction (DLMF 8.17.22) and Lentz's method.
inline double incomplete_beta(double a, double b, double x) {
  constexpr int max_terms = 300;
  constexpr double tolerance = 1e-16;
  if (x > (a + 1) / (a + b + 2)) return 1 - incomplete_beta(b, a, 1 - x);  // where the fraction converges faster
  const double front =
      std::exp(std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) + a * std::log(x) + b * std::log1p(-x)) / a;
  double c = 1, d = 1 / (1 - (a + b) * x / (a + 1)), value = d;
  for (int m = 1; m < max_terms; ++m) {
    const auto append = [&](double numerator) {
      d = 1 / (1 + numerator * d);
      c = 1 + numerator / c;
      value *= c * d;
    };
    append(m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)));
    append(-(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)));
    if (std::abs(c * d - 1) < tolerance) break;
  }
  return front * value;
}

}  // namespace detail

/// Quantile of the beta distribution: the x in [0, 1] with I_x(a, b) = share, I being the regularised incomplete beta
/// function.
/// @param share  between 0 and 1
/// @param a, b   shape of the distribution, 0.01 to 1000
inline double beta_quantile(double share, double a, double b) {
  constexpr int halvings = 200;  // more than the bits of a double, also near 0
  double low = 0, high = 1;
  for (int i = 0; i < halvings; ++i) {
    const double middle = (low + high) / 2;
    (detail::incomplete_beta(a, b, middle) < share ? low : high) = middle;
  }
  return (low + high) / 2;
}

/// Training steps at quantiles of a beta distribution, followed by 0: dense at both ends for a and b below 1.
/// Quantiles that round to the same training step count once, so the schedule may have fewer steps than
/// requested.
/// @param steps  1 or more
/// @param a, b   shape of the distribution, 0.01 to 1000
/// @throws std::invalid_argument for steps, a or b out of range.
/// Source: Lee et al. 2024, arXiv 2407.12173; ComfyUI's scheduler "beta".
inline Schedule beta_quantiles(const NoiseTable& table, int steps, double a = 0.6, double b = 0.6) {
  detail::require_steps(steps);
  for (const double shape : {a, b})  // beyond, the fraction of the distribution's integral does not converge
    require(shape >= 0.01 && shape <= 1000, "a and b", shape, "0.01 to 1000");
  std::vector<double> chosen;
  for (int i = 0; i < steps; ++i) {
    const double share = 1 - static_cast<double>(i) / steps;
    const double step =
        std::nearbyint((share < 1 ? beta_quantile(share, a, b) : 1) * (static_cast<double>(table.size()) - 1));
    if (chosen.empty() || step < chosen.back()) chosen.push_back(step);
  }
  return at_training_steps(table, chosen);
}

}  // namespace fewstep
