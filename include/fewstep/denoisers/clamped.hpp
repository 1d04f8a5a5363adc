#pragma once

#include "../algebra.hpp"
#include "../errors.hpp"
#include "adaptor.hpp"

#include <cmath>
#include <utility>

namespace fewstep {

/// The rule of clamped().
struct Clamp {
  double low, high;

  template <State X, class D>
  bool operator()(const X& x, const Level<X>& sigma, X& out, Features<X>& features, D& denoise) const {
    static_assert(
        requires { algebra<X>::clamp(out, low, high); }, "clamped: algebra<X> has no member clamp(x, low, high)");
    const bool has_features = detail::denoise(denoise, x, sigma, out, features);
    algebra<X>::clamp(out, low, high);
    return has_features;
  }
};

/// A denoiser whose denoised images are limited to [low, high], for data with bounds, such as images in [-1, 1].
/// @param denoise    any denoiser; its features are forwarded
/// @param low, high  bounds, in the unit of the data; may be infinite
/// NFE per call: that of `denoise`.
/// @throws std::invalid_argument unless low < high.
template <class D>
auto clamped(D denoise, double low, double high) {
  require(!std::isnan(low), "low", low, "numbers");
  require(high > low, "high", high, "numbers above low");
  return detail::adapt(Clamp{low, high}, std::move(denoise));
}

}  // namespace fewstep
