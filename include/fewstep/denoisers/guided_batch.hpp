#pragma once

#include "../algebra.hpp"
#include "adaptor.hpp"
#include "guidance.hpp"

#include <utility>

namespace fewstep {

namespace detail {
template <class X>
concept Doubles = requires(const X& x, const Level<X>& t, const Features<X>& f) {
  algebra<X>::twice(x);
  algebra<X>::twice(t);
  algebra<X>::half(x, 0);
  algebra<X>::half(f, 0);
};
}  // namespace detail

struct BatchGuidance {
  GuidanceOptions options;

  template <State X, class D>
  bool operator()(const X& x, const Level<X>& sigma, X& out, Features<X>& features, D& network) const {
    static_assert(detail::Doubles<X>,
                  "guided_batch: algebra<X> has no members twice(x), twice(t), half(x, i), or X has a "
                  "fixed number of samples");
    const X both = algebra<X>::twice(x);
    X result = algebra<X>::like(both);
    Features<X> all{};
    const bool given = detail::denoise(network, both, algebra<X>::twice(sigma), result, all);
    if (given) features = algebra<X>::half(all, 1);
    X other = algebra<X>::half(result, 0);
    out = algebra<X>::half(result, 1);
    if (options.scale != 1) detail::guide(options, sigma, out, other);
    return given;
  }

  template <class D>
  int evaluations_per_call(const D& network) const {
    return 2 * detail::evaluations_per_call(network);
  }
  template <class T, class D>
  int evaluations_at(const T& sigma, const D& network) const {
    return 2 * detail::evaluations_at(network, sigma);
  }
};

/// One denoiser of a doubled batch, the first half unconditional, the second conditional: what it is conditioned on
/// must be as long. Counts as two evaluations, outside the interval too. Features are the conditional half's.
/// @throws std::invalid_argument for options that do not fit.
template <class D>
auto guided_batch(D network, GuidanceOptions options) {
  options.validate();
  return detail::adapt(BatchGuidance{options}, std::move(network));
}

}  // namespace fewstep
