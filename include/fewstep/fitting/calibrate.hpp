// Fits the numbers of a solver to a model and a number of evaluations, without gradients: the model is only called.
#pragma once

#include "../solvers/heun.hpp"
#include "calibration/calibrator.hpp"
#include "calibration/options.hpp"
#include "calibration/slope_models.hpp"
#include "per_batch.hpp"
#include "tabulate.hpp"
#include "teacher.hpp"

#include <cmath>
#include <cstddef>
#include <functional>
#include <type_traits>
#include <vector>

namespace fewstep {

/// Estimates the median distance, per number, between a teacher's ends and the exact solution (Richardson): the error
/// of a method of second order falls with the square of its steps, so fine and coarse ends differ by
/// (steps/coarse_steps)^2 - 1 times the error of the fine ones.
/// @param fine, coarse          end features of the same noise
/// @param steps, coarse_steps   steps of the teacher that they took, in the same units; steps > coarse_steps
/// @param numbers               of a sample
template <State X>
double teacher_error(const X& fine, int steps, const X& coarse, int coarse_steps, double numbers) {
  const X change = detail::difference(fine, coarse);
  const double ratio = static_cast<double>(steps) / coarse_steps;
  const double square = detail::median_of(algebra<X>::dot(change, change)) / numbers;
  return std::sqrt(square) / (ratio * ratio - 1);
}

/// As calibrate() below, with the trajectories of any teacher.
/// @param teacher  for each batch its states at the levels of `start`, e.g. record_teacher(Heun{}, denoise,
///                 refined(start.schedule(), 6), x, {.stride = 6})
/// @return Calibration::teacher_error is NaN
template <State X, class D, class F = std::identity>
Calibration calibrate(D&& denoise, const Table& start, const std::vector<TeacherTrajectory<X>>& teacher,
                      const CalibrationOptions& options, const F& end_features = {}) {
  [[maybe_unused]] const typename algebra<X>::inference mode(true);
  const detail::SlopeModels<X, std::remove_reference_t<D>> models(denoise, teacher.size());
  detail::Calibrator<X> calibrator(models.pointers(), start, teacher, options, end_features);
  while ((!options.report || options.report(calibrator.progress())) && calibrator.advance()) {
  }
  return calibrator.result();
}

/// Fits the numbers of a slope table to a model.
///
/// The first stage fits the weights of each row by least squares to a teacher's trajectories, in one pass. Each later
/// iteration moves all weights, levels and sigma_scales together, by Gauss-Newton steps on the differences between the
/// table's ends and the teacher's. Held-out samples select the result: on them it is never worse than `start`, measured
/// by the loss of CalibrationProgress.
///
/// NFE per sample, for r rows: 2 r teacher_steps for the teacher, half as many again for the first batch; r for the
/// start (3 r when resumed), for the first stage and for each try; for the Jacobian of an iteration the rows after each
/// number, for some of the fitted samples: at first for 40, or as many as have 100 numbers for each number of the
/// table, and for twice as many once an iteration lowers the loss by less than 2%. An analytic first step saves one
/// evaluation per run.
/// @param denoise       any denoiser, or per_batch(); called with one level for the batch
/// @param start         a table of slopes without midpoints and with carries of 1, e.g. tabulate(Ipndm{.order = 3},
///                      karras({.steps = 6}))
/// @param noise         batches of unit noise, some 300 samples in all; the first batch also serves to estimate the
///                      teacher's error
/// @param end_features  what is compared at the ends: a callable from a batch of end states to a state with as many
///                      samples, e.g. images clamped to [-1, 1], or another network's features; by default the state
/// @return the best table and its held-out distances to the teacher
/// @throws std::invalid_argument naming what does not fit; std::runtime_error if the teacher has a non-finite sample,
/// or `start` no finite held-out one; what the denoiser throws.
/// Source: Kim et al. 2024 (D-ODE: least squares per step, with one scalar); Levenberg 1944 (damping); Broyden 1965
/// (updates). The combination is this library's own.
template <State X, class D, class F = std::identity>
Calibration calibrate(D&& denoise, const Table& start, const std::vector<X>& noise,
                      const CalibrationOptions& options = {}, const F& end_features = {}) {
  require(options.teacher_steps >= 2, "teacher_steps", options.teacher_steps, "2 or more");
  require(!noise.empty(), "the number of batches of noise", 0, "1 or more");
  std::size_t samples = 0;
  for (const X& z : noise) samples += detail::sample_count(z);
  require_calibratable(start, samples, options);
  const Schedule schedule = start.schedule();
  const auto trajectory = [&](std::size_t batch, int parts) {
    X x = algebra<X>::like(noise[batch]);
    scale(x, schedule[0], noise[batch]);
    auto&& own = detail::denoiser_of(denoise, batch);
    return record_teacher(Heun{}, own, refined(schedule, parts), x, {.stride = static_cast<std::size_t>(parts)});
  };
  std::vector<TeacherTrajectory<X>> teacher(noise.size());
  for (std::size_t b = 0; b < noise.size(); ++b) teacher[b] = trajectory(b, options.teacher_steps);
  const int coarse_steps = options.teacher_steps / 2;
  const X coarse = trajectory(0, coarse_steps).states.back();
  Calibration made = calibrate<X>(denoise, start, teacher, options, end_features);
  made.teacher_error = teacher_error<X>(end_features(teacher[0].states.back()), options.teacher_steps,
                                        end_features(coarse), coarse_steps, detail::numbers_of_sample(noise[0]));
  return made;
}

}  // namespace fewstep
