// The part of a denoised batch that the network contributes.
#pragma once

#include "../algebra.hpp"

#include <type_traits>

namespace fewstep::detail {

/// The weight of x in D beside the network's output, D = skip x + out F; 0 for a denoiser that names none.
template <class D, class T>
auto skip_weight(const D& denoise, const T& sigma) {
  if constexpr (requires { denoise.skip(sigma); }) {
    if constexpr (std::is_same_v<decltype(denoise.skip(sigma)), unit_t>) return 1.;
    else return denoise.skip(sigma);
  } else {
    return 0.;
  }
}

/// denoised <- denoised + sign skip(sigma) x: with sign -1 a multiple of the network's output, and with 1 back again.
template <State X, class D>
void add_skipped(const D& denoise, double sign, const X& x, const Level<X>& sigma, X& denoised) {
  if constexpr (requires { denoise.skip(1.); })
    combine(
        denoised, levels(sigma), [&](const auto& s) { return Pack{unit, sign * skip_weight(denoise, s)}; }, denoised,
        x);
}

}  // namespace fewstep::detail
