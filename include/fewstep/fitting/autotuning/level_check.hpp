// At which noise levels a denoiser is of use.
#pragma once

#include "../../errors.hpp"
#include "../../model.hpp"
#include "../../schedules/log_uniform.hpp"
#include "../calibration/sample_sums.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <stdexcept>
#include <vector>

namespace fewstep {

/// What a denoiser makes of pure noise, level by level.
struct LevelCheck {
  std::vector<double> levels;        ///< decreasing
  std::vector<double> denoised_rms;  ///< root mean square of D(sigma * unit noise), over all numbers
  double usable_max = 0;             ///< the highest level below which the denoiser does not explode
};

namespace detail {

/// The highest level of use. With growing sigma, the RMS of D(sigma z) rises to about the size of the data, and then
/// stays there or falls to the size of their mean. A network whose error grows with sigma, as at the top of capped
/// cosine tables, makes it rise again: levels are usable up to 1.5 times the RMS at which this rise begins, or up to
/// the largest RMS below it.
/// @param levels, rms  decreasing levels
/// @return 0 where no level is usable
inline double usable_max(const std::vector<double>& levels, const std::vector<double>& rms) {
  constexpr double steep = 0.5, tolerated = 1.5;  // d log(rms)/d log(sigma); growth of the RMS
  const std::size_t size = levels.size();
  std::size_t top = 0;
  while (top < size && !std::isfinite(rms[top])) ++top;
  if (top == size) return 0;
  std::size_t begin = top;  // of the rise
  while (begin + 1 < size &&
         std::log(rms[begin] / rms[begin + 1]) > steep * std::log(levels[begin] / levels[begin + 1]))
    ++begin;
  if (begin + 1 == size) return levels[top];  // it rises from the lowest level on: D is about x
  double bound = tolerated * rms[begin];
  for (std::size_t i = begin; i < size; ++i) bound = (std::max)(bound, rms[i]);
  while (begin > top && rms[begin - 1] <= bound) --begin;
  return levels[begin];
}

}  // namespace detail

/// Finds the levels at which a denoiser is of use. A level above them is not a better start: many steps from there end
/// in garbage, which a fitted solver would reproduce.
/// @param denoise                any denoiser
/// @param unit_noise             one batch
/// @param sigma_min, sigma_max   the range that is asked about, 0 < sigma_min < sigma_max
/// @param count                  levels to evaluate, 2 or more, evenly spaced in log sigma
/// @throws std::invalid_argument for a range or count that is not allowed; std::runtime_error where no level is usable.
/// NFE per sample: `count`.
template <State X, class D>
LevelCheck check_levels(D&& denoise, const X& unit_noise, double sigma_min, double sigma_max, int count = 33) {
  require(count >= 2, "the number of levels to check", count, "2 or more");
  const Schedule schedule = log_uniform({.steps = count - 1, .sigma_min = sigma_min, .sigma_max = sigma_max});
  Model<X, std::remove_reference_t<D>> model(denoise, Target::denoised);
  LevelCheck made{schedule.levels(), {}, 0};
  X x = algebra<X>::like(unit_noise), out = algebra<X>::like(unit_noise);
  const double numbers = detail::numbers_of_sample(unit_noise);
  for (const double sigma : made.levels) {
    scale(x, sigma, unit_noise);
    model.denoised(x, Level<X>(sigma), out);
    double sum = 0;
    const std::vector<double> squares = algebra<X>::dot(out, out);
    for (const double square : squares) sum += square;
    made.denoised_rms.push_back(std::sqrt(sum / (numbers * static_cast<double>(squares.size()))));
  }
  made.usable_max = detail::usable_max(made.levels, made.denoised_rms);
  if (made.usable_max <= sigma_min)
    throw std::runtime_error("the denoiser is of no use at any level: its output explodes");
  return made;
}

}  // namespace fewstep
