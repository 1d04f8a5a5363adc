// The loops that one would write for a single solver, state type and network: what the library's steps are measured
// against. One call of the network and one pass over the state per step.
#pragma once

#include "steps.hpp"

#include <array>
#include <cstddef>
#include <utility>

namespace fewstep::benchmarks {

/// @return CPU seconds per step
template <class X>
double hand_written_euler(const Problem<X>& problem) {
  using Scalar = typename X::Scalar;
  const Schedule& schedule = problem.schedule;
  const Scattered scattered(problem.start);
  const Cheap<X> denoise;
  X state = problem.start, output = problem.start;
  double start = 0;
  for (std::size_t i = 0; i < schedule.steps(); ++i) {
    if (i == warm_up) start = cpu_seconds();
    denoise(state, schedule[i], output);
    const auto inverse = static_cast<Scalar>(1 / schedule[i]), h = static_cast<Scalar>(schedule[i + 1] - schedule[i]);
    Scalar* __restrict x = state.data();
    const Scalar* __restrict denoised = output.data();
    for (Eigen::Index k = 0, size = static_cast<Eigen::Index>(state.size()); k < size; ++k)
      x[k] += h * ((x[k] - denoised[k]) * inverse);
  }
  return (cpu_seconds() - start) / static_cast<double>(schedule.steps() - warm_up);
}

/// iPNDM of order 3. The first two steps, of lower orders, are left out: they take zeros for the slopes before the run.
/// @return CPU seconds per step
template <class X>
double hand_written_ipndm(const Problem<X>& problem) {
  using Scalar = typename X::Scalar;
  const Schedule& schedule = problem.schedule;
  const Scattered scattered(problem.start);
  const Cheap<X> denoise;
  X state = problem.start;
  X zero = state;
  for (Eigen::Index k = 0; k < static_cast<Eigen::Index>(zero.size()); ++k) zero.data()[k] = 0;
  std::array<X, 3> slopes{zero, zero, zero};
  double start = 0;
  for (std::size_t i = 0; i < schedule.steps(); ++i) {
    if (i == warm_up) start = cpu_seconds();
    X &output = slopes[i % 3], &past = slopes[(i + 2) % 3], &older = slopes[(i + 1) % 3];
    denoise(state, schedule[i], output);
    const auto inverse = static_cast<Scalar>(1 / schedule[i]);
    const double h = (schedule[i + 1] - schedule[i]) / 12;
    const auto w0 = static_cast<Scalar>(23 * h), w1 = static_cast<Scalar>(-16 * h), w2 = static_cast<Scalar>(5 * h);
    Scalar* __restrict x = state.data(), * __restrict d0 = output.data();
    const Scalar* __restrict d1 = past.data(), * __restrict d2 = older.data();
    for (Eigen::Index k = 0, size = static_cast<Eigen::Index>(state.size()); k < size; ++k) {
      d0[k] = (x[k] - d0[k]) * inverse;
      x[k] += w0 * d0[k] + w1 * d1[k] + w2 * d2[k];
    }
  }
  return (cpu_seconds() - start) / static_cast<double>(schedule.steps() - warm_up);
}

}  // namespace fewstep::benchmarks
