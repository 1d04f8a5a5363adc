// Finds the best few-step solver for a model within a number of calls, without gradients and without choices by hand.
#pragma once

#include "autotuning/autotuner.hpp"
#include "autotuning/options.hpp"

#include <type_traits>

namespace fewstep {

/// Finds a solver of a given number of evaluations for a model:
///   1. checks the denoiser: at which levels it is of use (check_levels);
///   2. runs a teacher, Heun's method with 6 steps per row;
///   3. races classic solvers, orders, schedules and first steps, all as tables, against the teacher;
///   4. fits tables by least squares on all schedules of the race, with and without an analytic first step; the best of
///      them also with the branches of a guided denoiser apart and with some of their evaluations left out in exchange
///      for more levels;
///   5. refines the best by calibrate()'s iterations, on more trajectories once these gain little, until the calls are
///      spent or nothing improves;
///   6. compares it with the best classic solver on noise that nothing was fitted to or chosen by. The classic solver
///      is the result unless that noise shows the table to be better.
/// The same denoiser, noise and options give the same result.
///
///   const Autotuned found = autotune<Eigen::ArrayXXf>(denoise, [](std::size_t batch) {
///     return noise<float>(seed_range(40 * batch, 40), 13);
///   });
///   sample(found.table, denoise, found.table.schedule(), z, found.options());
///
/// @param denoise  any denoiser, or per_batch()
/// @param noise    (std::size_t batch) -> X: unit noise, the same for the same batch, with as many samples in each
/// @param options  evaluations, calls, range of levels
/// @return the solver, how it was found, and its distances
/// @throws std::invalid_argument for an option out of range; std::runtime_error where the denoiser is of no use at any
/// level or the teacher's samples are not finite; what the denoiser throws.
/// NFE per sample: at most about options.calls.
template <class X, class D, class N>
  requires State<X>
Autotuned autotune(D&& denoise, const N& noise, const AutotuneOptions& options = {}) {
  options.validate();
  [[maybe_unused]] const typename algebra<X>::inference mode(true);
  detail::Autotuner<X, std::remove_reference_t<D>, N> tuner(denoise, noise, options);
  return tuner.run();
}

}  // namespace fewstep
