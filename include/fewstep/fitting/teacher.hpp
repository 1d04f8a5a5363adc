// Many-step trajectories used as targets when fitting few-step solvers.
#pragma once

#include "../denoisers/adaptor.hpp"
#include "../run.hpp"

#include <cmath>
#include <cstddef>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

namespace fewstep {

/// A batch's trajectory through a schedule with levels t_0, t_1, ..., t_n, as kept by record_teacher().
template <State X>
struct TeacherTrajectory {
  std::vector<X> states;  ///< at t_0, t_stride, t_(2 stride), ..., t_n: the start, then n / stride states
  std::vector<X>
      slopes;  ///< dx/dsigma at each of these states but the last; empty without record_teacher_with_slopes()
};

struct RecordOptions {
  /// Keeps the state at every `stride`-th level, beginning with the first; a divisor of the schedule's steps.
  std::size_t stride = 1;
  /// Options of the teacher's run. `check`, `final_denoise` and `gradients` have no effect: the last state is always
  /// checked, it is the solver's own, and gradients are never recorded.
  Options run = {};
};

/// A schedule with each step divided into `parts` steps, evenly spaced in the seventh root of the level (Karras et al.
/// 2022, arXiv 2206.00364, equation 5). Every `parts`-th level is one of `schedule`, unchanged.
/// @throws std::invalid_argument unless parts is 1 or more.
inline Schedule refined(const Schedule& schedule, int parts) {
  constexpr double rho = 7;
  require(parts >= 1, "parts", parts, "1 or more");
  std::vector<double> levels(schedule.steps() * static_cast<std::size_t>(parts) + 1, schedule[0]);
  std::size_t next = 1;
  for (std::size_t i = 0; i < schedule.steps(); ++i) {
    const double a = std::pow(schedule[i], 1 / rho), b = std::pow(schedule[i + 1], 1 / rho);
    for (int k = 1; k < parts; ++k) levels[next++] = std::pow(a + (b - a) * k / parts, rho);
    levels[next++] = schedule[i + 1];
  }
  return Schedule(std::move(levels));
}

namespace detail {

/// The rule of a denoiser that shows each of its outputs to an observer (x, denoised, sigma).
template <class F>
struct ObservedOutput {
  F observe;

  template <State X, class D>
  bool operator()(const X& x, const Level<X>& sigma, X& out, Features<X>& features, D& denoise) const {
    const bool has_features = detail::denoise(denoise, x, sigma, out, features);
    observe(x, out, sigma);
    return has_features;
  }
};

/// Appends the teacher's state after every `stride`-th step to `states`.
template <State X, class S, class D>
void record_states(const S& teacher, D& denoise, const Schedule& schedule, RecordOptions& options,
                   std::vector<X>& states) {
  options.run.check = Check::off;
  Run<X, D&, S> run(teacher, denoise, schedule, copied(states.front()), options.run);
  while (run.advance())
    if (run.index() % options.stride == 0) states.push_back(copied(run.x));
}

/// @throws std::invalid_argument unless the steps are a multiple of the stride.
inline void require_divisor(std::size_t stride, std::size_t steps) {
  require(stride > 0 && steps % stride == 0, "stride", stride, {"divisors of the teacher's steps, ", steps});
}

/// Makes recorded states ordinary ones after inference mode, and checks the last.
template <State X>
TeacherTrajectory<X> released(TeacherTrajectory<X> trajectory) {
  for (X& state : trajectory.states) algebra<X>::release(state);
  for (X& slope : trajectory.slopes) algebra<X>::release(slope);
  if (!algebra<X>::finite(trajectory.states.back())) throw std::runtime_error("the teacher's samples are not finite");
  return trajectory;
}

}  // namespace detail

/// Runs a teacher, which may be any solver, over one batch and keeps its states. A state for every step of a coarse
/// schedule, from a teacher that divides each step into six:
///   record_teacher(Heun{}, denoise, refined(coarse, 6), x, {.stride = 6})
/// Gradients are not recorded; the states are ordinary ones, which may take part in a loss with gradients.
/// @param denoise   any denoiser
/// @param schedule  levels of the teacher
/// @param x         the batch at the schedule's first level: schedule[0] * unit noise
/// @return the start and one state for every `stride` steps, without slopes
/// @throws std::invalid_argument unless the schedule's steps are a multiple of the stride; std::runtime_error if the
/// last state is not finite; what the denoiser throws.
template <State X, class S, class D>
TeacherTrajectory<X> record_teacher(const S& teacher, D&& denoise, const Schedule& schedule, const X& x,
                                    RecordOptions options = {}) {
  detail::require_divisor(options.stride, schedule.steps());
  TeacherTrajectory<X> made;
  {
    [[maybe_unused]] const typename algebra<X>::inference mode(true);
    made.states.push_back(detail::copied(x));
    detail::record_states(teacher, denoise, schedule, options, made.states);
  }
  return detail::released(std::move(made));
}

/// As record_teacher(), with the slope (x - D)/sigma at the left end of each kept interval: the first output of the
/// denoiser after each kept state. Costs no more evaluations.
template <State X, class S, class D>
TeacherTrajectory<X> record_teacher_with_slopes(const S& teacher, D&& denoise, const Schedule& schedule, const X& x,
                                                RecordOptions options = {}) {
  detail::require_divisor(options.stride, schedule.steps());
  TeacherTrajectory<X> made;
  const auto observe = [&made](const X& at, const X& denoised, const Level<X>& sigma) {
    if (made.slopes.size() == made.states.size()) return;
    made.slopes.push_back(algebra<X>::like(at));
    combine(made.slopes.back(), levels(sigma), [](const auto& t) { return Pack{1. / t, -1. / t}; }, at, denoised);
  };
  {
    [[maybe_unused]] const typename algebra<X>::inference mode(true);
    Adaptor<detail::ObservedOutput<decltype(observe)>, std::remove_reference_t<D>&> observed{{observe}, {denoise}};
    made.states.push_back(detail::copied(x));
    if (options.run.analytic_first_step) {
      made.slopes.push_back(algebra<X>::like(x));
      const Level<X> first(schedule[options.run.first_step]);
      Model<X, decltype(observed)>(observed, Target::slope).analytic(x, first, made.slopes.back());
    }
    detail::record_states(teacher, observed, schedule, options, made.states);
  }
  return detail::released(std::move(made));
}

}  // namespace fewstep
