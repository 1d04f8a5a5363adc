// What a denoiser must offer, and how any form of one is called.
#pragma once

#include "algebra.hpp"

#include <concepts>
#include <stdexcept>
#include <tuple>
#include <type_traits>
#include <utility>

namespace fewstep {

namespace detail {

template <class D, class X>
concept WritesFeatures = requires(D& d, const X& x, const Level<X>& t, X& out, Features<X>& f) { d(x, t, out, f); };
template <class D, class X>
concept Writes = requires(D& d, const X& x, const Level<X>& t, X& out) { d(x, t, out); };
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
/// Eigen's arrays of other numbers claim to be convertible, and then fail inside Eigen.
template <class R, class X>
concept OfOtherScalar = requires {
  typename X::Scalar;
  requires !std::same_as<typename std::remove_cvref_t<R>::Scalar, typename X::Scalar>;
};
template <class R, class X>
concept Output = (std::convertible_to<R, X> && !OfOtherScalar<R, X>) || Named<R, X> || Paired<R, X>;

/// How a backend hands noise levels to a callable that returns its result: for tensors a tensor, else Level<X> itself.
template <class X>
decltype(auto) native(const Level<X>& t, const X& x) {
  if constexpr (requires { algebra<X>::native(t, x); }) return algebra<X>::native(t, x);
  else return (t);
}
template <class X>
using Native = decltype(native<X>(std::declval<const Level<X>&>(), std::declval<const X&>()));

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
///   d(x, sigma, out, features)    d(x, sigma, out)     sigma: const Level<X>&; the first may return false: no features
///   d(x, sigma) -> X, -> std::pair(X, features), or -> anything with members `denoised` and `feature`
///                                                      (tensors: sigma is a tensor, [] or [B])
/// One that evaluates its network several times says so by `int evaluations_per_call()`, the most that a call takes,
/// and, where that depends on the level, `int evaluations_at(const Level<X>&)`. One whose x is not x0 + sigma noise has
/// an analytic start of its own: analytic_first_step(sigma), the weight of x in D that the run's is in its coordinates;
/// one that knows better has analytic_first_step(x, sigma, out), out <- D.
template <class D, class X>
concept PerSampleDenoiser = State<X> && detail::has_per_sample_form<D, X>;

/// D(x, sigma) = E[clean | x, sigma]: a per-sample denoiser, or one for a level shared by the batch,
///   d(x, double, out, features)    d(x, double, out)    d(x, double) -> X, or with features.
/// Spell sigma's type: a generic lambda is tried with Level<X> first and fails inside its own body.
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
bool denoise(D& d, const X& x, const Level<X>& sigma, X& out, Features<X>& features) {
  const auto write = [&](const auto& level) {
    if constexpr (std::convertible_to<decltype(d(x, level, out, features)), bool>)
      return static_cast<bool>(d(x, level, out, features));
    else return d(x, level, out, features), true;
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
      throw std::invalid_argument(
          "denoiser takes one noise level for the batch, the solver asks for one per sample; "
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
  if constexpr (requires {
                  { denoise.evaluations_per_call() } -> std::convertible_to<int>;
                })
    return denoise.evaluations_per_call();
  else return 1;
}
template <class D, class T>
int evaluations_at(const D& denoise, const T& sigma) {
  if constexpr (requires {
                  { denoise.evaluations_at(sigma) } -> std::convertible_to<int>;
                })
    return denoise.evaluations_at(sigma);
  else return evaluations_per_call(denoise);
}

}  // namespace detail

}  // namespace fewstep
