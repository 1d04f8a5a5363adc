#pragma once

#include "../algebra.hpp"
#include "adaptor.hpp"

#include <utility>

namespace fewstep {

/// The rule of inpainted().
template <State X>
struct Inpaint {
  X known, mask;

  template <class D>
  bool operator()(const X& x, const Level<X>& sigma, X& out, Features<X>& features, D& denoise) const {
    static_assert(
        requires { algebra<X>::blend(out, known, mask); }, "inpainted: algebra<X> has no member blend(x, y, mask)");
    const bool has_features = detail::denoise(denoise, x, sigma, out, features);
    algebra<X>::blend(out, known, mask);
    return has_features;
  }
};

/// A denoiser that keeps known data: at every evaluation D' = mask known + (1 - mask) D.
///
/// Where the mask is 1, x follows known + (sigma/sigma_0)(x_0 - known), with the run's first level sigma_0 and first
/// state x_0, and a run to level 0 ends exactly at `known`.
/// @param denoise      any denoiser; its features are forwarded
/// @param known, mask  shape of the state, or of one sample for all; mask in [0, 1]
/// @throws std::invalid_argument at the first evaluation if a shape does not fit the state.
/// NFE per call: that of `denoise`.
template <class D, State X>
auto inpainted(D denoise, X known, X mask) {
  return detail::adapt(Inpaint<X>{std::move(known), std::move(mask)}, std::move(denoise));
}

}  // namespace fewstep
