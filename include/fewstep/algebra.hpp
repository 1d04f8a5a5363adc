// What the library asks of a state type X: one specialisation of algebra<X>. Nothing else touches data.
#pragma once

#include "level.hpp"

#include <concepts>
#include <cstddef>
#include <tuple>

namespace fewstep {

/// The only customisation point for a state type; see eigen/algebra.hpp and torch/algebra.hpp. Its members:
///   time                       noise levels: one double for the batch, or one per sample; constructible from a double
///   features                   what a denoiser may return beside the denoised batch (the network's bottleneck)
///   inference                  RAII: how a run without gradients is executed; constructible from bool (off: do
///   nothing) validate(x)                throws std::invalid_argument for a state that cannot be used like(x) storage
///   for another state of x's shape fit(t, x)                  lets t hold one value per sample of x without allocating
///   later; one value for all is spread is_one(t)                  known to be the number 1 everywhere detach(x),
///   detach(t)       cuts the history of gradients, where there is one release(x)                 makes x an ordinary
///   state again after `inference` finite(x)                  neither NaN nor infinity anywhere threshold(x, q, low,
///   high) per sample: x <- clamp(x, -s, s) / s, s = the q-quantile of |x|, kept within [low, high] map(out, f,
///   times...)      out <- f(times...), once or per sample combine(out, times, w, terms...)   out <- sum_k
///   w_k(times...) terms_k; out may be one of the terms
/// Optional, for the adaptors of denoisers that name them:
///   clamp(x, low, high)        every number of x limited to [low, high]
///   blend(x, y, mask)          x <- mask y + (1 - mask) x; y and mask as x, or of one sample
///   match_deviation(x, like, amount)   per sample: x <- x (1 + amount (deviation of like / deviation of x - 1))
///   dot(x, y), sum_abs(x)      std::vector<double>, one number per sample: sums of products, of absolute values
///   levels(values)             noise levels, or other factors, one per sample, from a std::vector<double>
///   twice(x), twice(t)         a batch, or its levels, one after the other
///   half(x, i)                 the first (0) or second (1) half of a doubled batch, or of its features
template <class X>
struct algebra;

template <class X>
using Features = typename algebra<X>::features;

template <class X>
concept State = std::movable<X> && requires(const X& x, X& y, Level<X>& t, const Level<X>& level, double v) {
  Level<X>(v);
  typename algebra<X>::features;
  typename algebra<X>::inference;
  algebra<X>::validate(x);
  { algebra<X>::like(x) } -> std::same_as<X>;
  algebra<X>::fit(t, x);
  { algebra<X>::is_one(level) } -> std::same_as<bool>;
  { algebra<X>::finite(x) } -> std::same_as<bool>;
  algebra<X>::detach(y);
  algebra<X>::detach(t);
  algebra<X>::threshold(y, v, v, v);
};

/// combine(out, levels(t, s), weights, terms...): out <- sum_k w_k(t, s) terms_k.
/// `weights` is a pure function of noise levels that returns one weight per term as a tuple; written once, it runs on
/// doubles (once, or per sample) and on tensors, with gradients. `out` may be one of the terms.
inline constexpr struct combine_fn {
  template <State X, class... T, class W, class... V>
  void operator()(X& out, const std::tuple<T...>& at, W weights, const V&... terms) const {
    algebra<X>::combine(out, at, weights, terms...);
  }
} combine{};

/// out <- factor x
template <State X>
void scale(X& out, double factor, const X& x) {
  combine(out, std::tuple<>{}, [factor] { return std::tuple{factor}; }, x);
}

/// out <- a - b
template <State X>
void subtract(X& out, const X& a, const X& b) {
  combine(out, std::tuple<>{}, [] { return std::tuple{unit, -1.}; }, a, b);
}

/// x <- x + factor y
template <State X>
void add_scaled(X& x, double factor, const X& y) {
  combine(x, std::tuple<>{}, [factor] { return std::tuple{unit, factor}; }, x, y);
}

namespace detail {
template <State X>
void copy(X& to, const X& from) {
  combine(to, std::tuple<>{}, [] { return std::tuple{unit}; }, from);
}
template <State X>
X copied(const X& x) {
  X y = algebra<X>::like(x);
  copy(y, x);
  return y;
}
template <State X>
X difference(const X& a, const X& b) {
  X y = algebra<X>::like(a);
  subtract(y, a, b);
  return y;
}
}  // namespace detail

}  // namespace fewstep
