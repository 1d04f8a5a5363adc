// What a solver is: arithmetic on noise levels that takes a state from one level to the next.
#pragma once

#include "algebra.hpp"
#include "model_ref.hpp"

#include <array>
#include <concepts>
#include <cstddef>
#include <string_view>
#include <type_traits>
#include <utility>

namespace fewstep {

/// One step of a run, from one noise level to the next.
template <State X>
struct Step {
  const Level<X>& from;
  const Level<X>& to;
  std::size_t index;     ///< of this step, 0 to count - 1
  std::size_t count;     ///< steps of the schedule
  bool remember = true;  ///< false: keep the target at `from` out of the history (Options::analytic_in_history)
  bool pending = false;  ///< `first` is still the denoised batch: combine_first() makes it the slope
  bool missing = false;  ///< `first` was not evaluated: a solver of several branches() evaluates these itself
};

/// combine(x, at, weights, x, first, past...) for solvers with `fuses_slope`. Where the step's slope is pending, it is
/// computed in the same pass over memory: first <- (x - first)/n.from.
template <State X, class At, class W, class... V>
void combine_first(const Step<X>& n, X& x, X& first, const At& at, W weights, const V&... past) {
  if constexpr (requires { algebra<X>::fuses_slopes; })
    algebra<X>::combine_first(x, first, n.pending ? &n.from : nullptr, at, weights, past...);
  else combine(x, at, weights, x, first, past...);
}

/// What a solver extrapolates: the slope dx/dsigma = (x - D)/sigma, or the denoised batch D itself. Exponential solvers
/// have both forms: DPM-Solver extrapolates slopes (noise prediction), DPM-Solver++ denoised batches (data prediction).
enum class Target { slope, denoised };
constexpr std::array<std::string_view, 2> names_of(Target) { return {"slope", "denoised"}; }

/// What a solver extrapolates: its member `target`, or, where it depends on another solver, the result of its function
/// target().
template <class S>
constexpr Target target_of(const S& solver) {
  if constexpr (requires {
                  { solver.target() } -> std::same_as<Target>;
                })
    return solver.target();
  else return solver.target;
}

/// Whether a solver extrapolates from the model outputs of earlier steps: its member `static constexpr bool multistep`,
/// or, where it depends on another solver, the result of its function multistep(). Without either: false.
template <class S>
constexpr bool is_multistep(const S& solver) {
  if constexpr (requires {
                  { solver.multistep() } -> std::same_as<bool>;
                })
    return solver.multistep();
  else if constexpr (requires { S::multistep; }) return S::multistep;
  else return false;
}

/// Whether a solver makes the step to level 0 itself, for which the driver otherwise takes one denoising evaluation:
/// its member `reaches_zero`, or, where it depends on another solver, the result of its function reaches_zero().
/// Without either: false.
template <class S>
constexpr bool reaches_zero(const S& solver) {
  if constexpr (requires {
                  { solver.reaches_zero() } -> std::same_as<bool>;
                })
    return solver.reaches_zero();
  else if constexpr (requires { static_cast<bool>(solver.reaches_zero); }) return solver.reaches_zero;
  else return false;
}

/// How many branches of the denoiser a solver weighs: the result of its function branches(). Without it: 1, the
/// denoised batch. A solver of several branches evaluates them itself, by model.branches().
template <class S>
constexpr std::size_t branches_of(const S& solver) {
  if constexpr (requires {
                  { solver.branches() } -> std::convertible_to<std::size_t>;
                })
    return solver.branches();
  else return 1;
}

/// The factor of x in a step from level t to level s, whatever the model predicts: s/t for an exponential step on
/// denoised batches, 1 for a step on slopes. AMED's `direction_scale` multiplies the rest of the step only.
template <class T>
auto carry(Target target, const T& t, const T& s) {
  return target == Target::denoised ? s / t : t / t;
}

/// Where a step stands in a run: enough to count its evaluations before the run.
struct StepCount {
  std::size_t kept = 0;        ///< outputs in the history before the step; the solver adds those that the step keeps
  std::size_t steps_left = 1;  ///< remaining steps, including this one
  bool remember = true;        ///< as in Step
};

namespace detail {

/// Whether a solver or predictor may ask for one noise level per sample.
template <class S>
inline constexpr bool per_sample = [] {
  if constexpr (requires { S::per_sample; }) return static_cast<bool>(S::per_sample);
  else return false;
}();

/// Whether the driver may leave a solver's slope pending: a solver of slopes with a member `static constexpr bool
/// fuses_slope`, or, where it depends on another solver, the result of its function fuses_slope().
template <class X, class S>
bool fuses_slope(const S& solver) {
  constexpr bool possible = requires { algebra<X>::fuses_slopes; };
  if constexpr (possible && requires {
                  { solver.fuses_slope() } -> std::same_as<bool>;
                })
    return solver.fuses_slope();
  else if constexpr (possible && requires { S::fuses_slope; })
    return S::fuses_slope && target_of(solver) == Target::slope;
  else return false;
}

/// Evaluations of one step; adds the outputs that the step keeps to `at.kept`.
template <class S>
int step_evaluations(const S& solver, StepCount& at) {
  if constexpr (requires {
                  { solver.evaluations(at) } -> std::convertible_to<int>;
                })
    return solver.evaluations(at);
  if (at.remember) ++at.kept;
  return solver.evaluations();
}

/// The factor by which the network's noise level differs from the level at the left end of step `index`; usually 1.
template <class S>
double sigma_scale(const S& solver, std::size_t index) {
  if constexpr (requires {
                  { solver.sigma_scale(index) } -> std::convertible_to<double>;
                })
    return solver.sigma_scale(index);
  else return 1;
}

/// How many branches step `index` evaluates.
template <class S>
std::size_t branch_evaluations(const S& solver, std::size_t index) {
  if constexpr (requires {
                  { solver.branch_evaluations(index) } -> std::convertible_to<std::size_t>;
                })
    return solver.branch_evaluations(index);
  else return 1;
}

/// Calls validate() of solvers and predictors that have it.
/// @throws std::invalid_argument for a setting out of range.
template <class T>
void validate(const T& value) {
  if constexpr (requires { value.validate(); }) value.validate();
}

}  // namespace detail

/// A solver of states X: an immutable value with
///   target                what it extrapolates (Target): a member, or a function target()
///   evaluations()         model evaluations per step, including the driver's at the left end. Where steps differ: the
///                         largest number, with evaluations(StepCount&) for the number of one step
///   memory(x)             what it remembers within one run of states like x: copyable, with detach()
///   step(n, x, first, model, memory)   takes x from level n.from to level n.to. `first` is the target at (x, n.from),
///                         evaluated by the driver, and may be overwritten. `model` is a ModelRef<X>: model(y, sigma,
///                         out) evaluates the target elsewhere
/// Optional:
///   multistep             static constexpr bool: whether it extrapolates from earlier steps
///   fuses_slope           static constexpr bool: completes a pending slope by combine_first(), see Step::pending
///   reaches_zero          bool: makes the step to level 0 itself, see reaches_zero()
///   sigma_scale(index)    factor between the network's level and the level at the left end of step `index`
///   per_sample            static constexpr bool: whether it may ask for one noise level per sample
///   branches(), branch_evaluations(index)   see branches_of(); how many of them step `index` evaluates
///   validate()            throws std::invalid_argument for settings out of range
template <class S, class X>
concept Solver =
    State<X> && std::is_copy_constructible_v<S> &&
    requires(const S solver, const Step<X>& n, X& x, X& first, ModelRef<X>& model) {
      { target_of(solver) } -> std::same_as<Target>;
      { solver.evaluations() } -> std::convertible_to<int>;
      solver.memory(std::as_const(x)).detach();
      requires requires(decltype(solver.memory(std::as_const(x)))& memory) { solver.step(n, x, first, model, memory); };
    };

/// The type of what a solver S remembers within a run of states X.
template <class S, class X>
using Memory = decltype(std::declval<const S&>().memory(std::declval<const X&>()));

}  // namespace fewstep
