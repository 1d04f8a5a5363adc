// What a denoiser, a solver, a predictor and an observer must offer.
#pragma once

#include "algebra.hpp"

#include <concepts>
#include <cstddef>
#include <stdexcept>
#include <tuple>
#include <type_traits>
#include <utility>

namespace fewstep {

/// One step of a run: from one noise level to the next. `index` counts from 0 to `count` - 1. `remember`: whether the target at
/// the left end is the model's, fit for a history (see Options::analytic_in_history).
template <State X>
struct Step {
  const Time<X>& from;
  const Time<X>& to;
  std::size_t index;
  std::size_t count;
  bool remember = true;
};

/// What a solver extrapolates: the slope dx/dsigma = (x - D)/sigma, or the denoised batch D itself.
enum class Target { slope, denoised };

/// The share of x that a step from level t to s keeps whatever the model says: an exponential step keeps s/t of it, a
/// plain one everything. It is what AMED's `direction` must not scale.
template <class T>
auto carry(Target target, const T& t, const T& s) {
  return target == Target::denoised ? s / t : t / t;
}

namespace detail {

template <class D, class X>
concept WritesFeatures =
    requires(D& d, const X& x, const Time<X>& t, X& out, Features<X>& f) { d(x, t, out, f); };
template <class D, class X>
concept Writes = requires(D& d, const X& x, const Time<X>& t, X& out) { d(x, t, out); };
template <class D, class X>
concept WritesSharedFeatures = requires(D& d, const X& x, double t, X& out, Features<X>& f) { d(x, t, out, f); };
template <class D, class X>
concept WritesShared = requires(D& d, const X& x, double t, X& out) { d(x, t, out); };

template <class R, class X>
concept Named = requires(R&& r, X& out, Features<X>& f) {
  out = std::forward<R>(r).denoised;
  f = std::forward<R>(r).feature;
};
template <class R, class X>
concept Paired = requires(R&& r, X& out, Features<X>& f) {
  out = std::get<0>(std::forward<R>(r));
  f = std::get<1>(std::forward<R>(r));
};
template <class R, class X>
concept Output = std::convertible_to<R, X> || Named<R, X> || Paired<R, X>;

/// How a backend hands noise levels to a callable that returns its result: for tensors a tensor, else Time<X> itself.
template <class X>
decltype(auto) native(const Time<X>& t, const X& x) {
  if constexpr (requires { algebra<X>::native(t, x); })
    return algebra<X>::native(t, x);
  else
    return (t);
}
template <class X>
using Native = decltype(native<X>(std::declval<const Time<X>&>(), std::declval<const X&>()));

template <class D, class X>
concept Returns = requires(D& d, const X& x, Native<X> t) {
  { d(x, t) } -> Output<X>;
};
template <class D, class X>
concept ReturnsShared = requires(D& d, const X& x, double t) {
  { d(x, t) } -> Output<X>;
};

/// Each in one value, as a compiler would list every form that a callable does not have.
template <class D, class X>
inline constexpr bool has_per_sample_form = WritesFeatures<D, X> || Writes<D, X> || Returns<D, X>;
template <class D, class X>
inline constexpr bool has_shared_form = WritesSharedFeatures<D, X> || WritesShared<D, X> || ReturnsShared<D, X>;

}  // namespace detail

/// A denoiser that accepts one noise level per sample. One of
///   d(x, sigma, out, features)    d(x, sigma, out)     sigma: const Time<X>&; the first may return false: no features
///   d(x, sigma) -> X, -> std::pair(X, features), or -> anything with members `denoised` and `feature`
///                                                      (tensors: sigma is a tensor, [] or [B])
/// One that evaluates its network several times says so by `int evaluations_per_call()`, the most that a call takes, and,
/// where that depends on the level, `int evaluations_at(const Time<X>&)`. One whose x is not x0 + sigma noise has an
/// analytic start of its own: analytic_start(sigma), the weight of x in D that the run's is in its coordinates; one that knows
/// better has analytic_start(x, sigma, out), out <- D.
template <class D, class X>
concept PerSampleDenoiser = State<X> && detail::has_per_sample_form<D, X>;

/// D(x, sigma) = E[clean | x, sigma]: a per-sample denoiser, or one for a level shared by the batch,
///   d(x, double, out, features)    d(x, double, out)    d(x, double) -> X, or with features.
/// Spell sigma's type: a generic lambda is tried with Time<X> first and fails inside its own body.
template <class D, class X>
concept Denoiser = PerSampleDenoiser<D, X> || (State<X> && detail::has_shared_form<D, X>);

namespace detail {

template <class X, class R>
bool take(R&& result, X& out, Features<X>& features) {
  if constexpr (std::convertible_to<R, X>) {
    out = std::forward<R>(result);
    return false;
  } else {
    if constexpr (Named<R, X>) {
      features = std::forward<R>(result).feature;
      out = std::forward<R>(result).denoised;
    } else {
      features = std::get<1>(std::forward<R>(result));
      out = std::get<0>(std::forward<R>(result));
    }
    return true;
  }
}

/// Calls any form of denoiser; true when it gave features.
template <State X, Denoiser<X> D>
bool denoise(D& d, const X& x, const Time<X>& sigma, X& out, Features<X>& features) {
  const auto write = [&](const auto& level) {
    if constexpr (std::convertible_to<decltype(d(x, level, out, features)), bool>)
      return static_cast<bool>(d(x, level, out, features));
    else
      return d(x, level, out, features), true;
  };
  if constexpr (WritesFeatures<D, X>) {
    return write(sigma);
  } else if constexpr (Writes<D, X>) {
    d(x, sigma, out);
    return false;
  } else if constexpr (Returns<D, X>) {
    return take<X>(d(x, native<X>(sigma, x)), out, features);
  } else {
    if (sigma.per_sample())
      throw std::invalid_argument("denoiser takes one noise level for the batch, the solver asks for one per sample; "
                                  "allowed: a denoiser of per-sample levels");
    if constexpr (WritesSharedFeatures<D, X>) {
      return write(sigma.value());
    } else if constexpr (WritesShared<D, X>) {
      d(x, sigma.value(), out);
      return false;
    } else {
      return take<X>(d(x, sigma.value()), out, features);
    }
  }
}

/// Evaluations of the network in one call: the most, and at a given level.
template <class D>
int evaluations_per_call(const D& denoise) {
  if constexpr (requires { { denoise.evaluations_per_call() } -> std::convertible_to<int>; })
    return denoise.evaluations_per_call();
  else
    return 1;
}
template <class D, class T>
int evaluations_at(const D& denoise, const T& sigma) {
  if constexpr (requires { { denoise.evaluations_at(sigma) } -> std::convertible_to<int>; })
    return denoise.evaluations_at(sigma);
  else
    return evaluations_per_call(denoise);
}

/// Whether a solver or predictor may ask for one noise level per sample.
template <class S>
inline constexpr bool per_sample = [] {
  if constexpr (requires { S::per_sample; })
    return static_cast<bool>(S::per_sample);
  else
    return false;
}();

/// Evaluations of one step, which has `left` steps of the schedule before it, itself included, and `kept` outputs in memory: the
/// step adds its own. `remember` as in Step.
template <class S>
int step_evaluations(const S& solver, std::size_t& kept, std::size_t left, bool remember) {
  if constexpr (requires { { solver.evaluations(kept, left, remember) } -> std::convertible_to<int>; })
    return solver.evaluations(kept, left, remember);
  if (remember) ++kept;
  return solver.evaluations();
}

/// The share of its level that the network is told at the left end of a step.
template <class S>
double clock(const S& solver, std::size_t index) {
  if constexpr (requires { { solver.clock(index) } -> std::convertible_to<double>; })
    return solver.clock(index);
  else
    return 1;
}

/// Solvers and predictors whose settings may be wrong have validate().
template <class T>
void validate(const T& value) {
  if constexpr (requires { value.validate(); }) value.validate();
}

/// Stands for the model when a solver is checked.
template <State X>
struct ModelArchetype {
  void operator()(const X&, const Time<X>&, X&);
  void operator()(const X&, const Time<X>&, const Time<X>&, X&);
  const Features<X>* features() const;
};

}  // namespace detail

/// A solver is arithmetic on noise levels. It is an immutable value with
///   target()      what it extrapolates
///   evaluations() model evaluations per step, the driver's at the left end counted; the most, where steps differ: then
///                 evaluations(kept, left, remember) gives those of one step; kept: the remembered outputs, counted on
///                 by it; left: steps of the schedule with this one
///   memory(x)     what it remembers within one run: copyable, with detach()
///   step(n, x, first, model, memory)   takes x from n.from to n.to; `first` is the target at (x, n.from), evaluated by
///                 the driver, and may be consumed; model(y, sigma, out) evaluates the target elsewhere
/// Where the network is to be told another level than the left end's, clock(index) is the factor; where the solver may ask for one
/// level per sample, `static constexpr bool per_sample = true`.
template <class S, class X>
concept Solver = State<X> && std::copy_constructible<S> &&
                 requires(const S solver, const Step<X>& n, X& x, X& first, detail::ModelArchetype<X>& model) {
                   { solver.target() } -> std::same_as<Target>;
                   { solver.evaluations() } -> std::convertible_to<int>;
                   solver.memory(std::as_const(x)).detach();
                   requires requires(decltype(solver.memory(std::as_const(x)))& memory) {
                     solver.step(n, x, first, model, memory);
                   };
                 };

template <class S, class X>
using Memory = decltype(std::declval<const S&>().memory(std::declval<const X&>()));

/// What an observer is shown after each step. References are valid during the call only.
template <State X>
struct Snapshot {
  std::size_t index;   // of the step just made
  std::size_t count;   // steps of the schedule
  double from, to;     // noise levels
  int evaluations;     // so far
  const X& x;
};

/// Any callable (const Snapshot<X>&); one that returns bool cancels the run with false.
template <class O, class X>
concept Observer = requires(O& observe, const Snapshot<X>& s) { observe(s); };

}  // namespace fewstep
