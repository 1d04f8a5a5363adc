// What the library asks of a state type X: one specialisation of algebra<X>. Nothing else touches data.
#pragma once

#include "level.hpp"

#include <concepts>

namespace fewstep {

/// The only customisation point for a state type X, a batch of samples. Complete examples: scalar.hpp (one number),
/// eigen/algebra.hpp (arrays), torch/algebra.hpp (tensors).
///
/// Member types:
///   level                  noise levels: one for the batch, or one per sample; constructible from a double
///   features               second output of a denoiser, e.g. the network's bottleneck; an empty struct for none
///   inference              guard object for a run: constructed from true where no gradients are wanted, else false
/// Static functions:
///   validate(x)            throws std::invalid_argument for a state that cannot be used
///   like(x)                storage for another state of x's shape
///   fit(t, x)              prepares t to hold one value per sample of x without allocating later
///   is_one(t)              whether t is known to be 1 for every sample
///   detach(x), detach(t)   cuts the gradient history; empty for states without gradients
///   release(x)             makes x an ordinary state after `inference` ended; empty for states without such a mode
///   finite(x)              whether no number is NaN or infinite
///   threshold(x, q, low, high)   per sample: x <- clamp(x, -s, s) / s, s the q-quantile of |x| clamped to [low, high]
///   map(out, f, t...)      out <- f(t...), once or per sample
///   combine(out, t, w, terms...)   out <- sum_k w_k(t...) terms_k; out may be one of the terms. t is a std::tuple, and
///                          w returns one
/// Optional constants:
///   takes_packs            declares that combine() accepts a Pack in place of each std::tuple: it compiles faster
///   stored_inside          whether the numbers lie in the object itself, so that swapping two states copies them
///   fuses_slopes           declares combine_first(x, first, s, t, w, terms...): first <- (x - first)/s unless s is
///                          null, then combine(x, t, w, x, first, terms...), in one pass over memory
/// Optional, for the denoisers and fitting code that name them:
///   clamp(x, low, high)    limits every number of x to [low, high]
///   blend(x, y, mask)      x <- mask y + (1 - mask) x; y and mask have x's shape, or one sample for all
///   match_deviation(x, like, a)   per sample: x <- x (1 + a (deviation of like / deviation of x - 1))
///   scaled_error(a, b, c, absolute, relative)   double: the root mean square over all numbers of
///                          (a - b)/max(absolute, relative max(|a|, |c|))
///   dot(x, y), sum_abs(x)  std::vector<double> with one sum per sample: of products, of absolute values
///   numbers(x)             how many numbers a sample has, for distances per number
///   require_alike(y, x)    throws unless y, a denoiser's output, has the element type of the state x
///   level_per_sample(v)    a level from one double per sample
///   along_new_axis(v, w), sum_new_axis(w)   where weights w are arrays themselves: numbers v along an axis that w
///                          lacks, so that one formula of weights is evaluated at all of them; the sum over that axis
///   twice(x), twice(t)     the batch, or its levels, followed by itself
///   half(x, i)             the first (i = 0) or second (i = 1) half of a doubled batch, or of its features
template <class X>
struct algebra;

/// The second output of a denoiser, one per sample.
template <class X>
using Features = typename algebra<X>::features;

/// A type with a complete algebra<X>, except for the templates map and combine, which no concept can check. The type
/// `level` is checked first, so that the error for a type without algebra<X> is short.
template <class X>
concept State = std::movable<X> && requires { typename algebra<X>::level; } &&
                requires(const X& x, X& y, Level<X>& t, const Level<X>& level, double v) {
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
/// @param out  a state of the terms' shape; may be one of the terms
/// @param at  the noise levels that the weights depend on: levels(...), levels() for none, or a std::tuple
/// @param weights  a pure function of these levels that returns a Pack or a std::tuple with one weight per term, double
/// or `unit`. Written once with `auto` parameters, it runs on doubles (once, or per sample) and on tensors with
/// gradients.
/// @param terms  at least one state
inline constexpr struct combine_fn {
  template <State X, class At, class W, class... V>
  void operator()(X& out, const At& at, W weights, const V&... terms) const {
    if constexpr (requires { algebra<X>::takes_packs; }) {
      algebra<X>::combine(out, at, weights, terms...);
    } else {
      const auto tuple_of_weights = [&](const auto&... t) { return detail::as_tuple(weights(t...)); };
      algebra<X>::combine(out, detail::as_tuple(at), tuple_of_weights, terms...);
    }
  }
} combine{};

/// out <- factor x
template <State X>
void scale(X& out, double factor, const X& x) {
  combine(out, levels(), [factor] { return Pack{factor}; }, x);
}

/// out <- a - b
template <State X>
void subtract(X& out, const X& a, const X& b) {
  combine(out, levels(), [] { return Pack{unit, -1.}; }, a, b);
}

/// x <- x + factor y
template <State X>
void add_scaled(X& x, double factor, const X& y) {
  combine(x, levels(), [factor] { return Pack{unit, factor}; }, x, y);
}

namespace detail {

/// to <- from, in to's storage. A plain assignment of tensors would share storage.
template <State X>
void copy(X& to, const X& from) {
  combine(to, levels(), [] { return Pack{unit}; }, from);
}
template <State X>
X copied(const X& x) {
  X y = algebra<X>::like(x);
  copy(y, x);
  return y;
}
/// a - b
template <State X>
X difference(const X& a, const X& b) {
  X y = algebra<X>::like(a);
  subtract(y, a, b);
  return y;
}

}  // namespace detail

}  // namespace fewstep
