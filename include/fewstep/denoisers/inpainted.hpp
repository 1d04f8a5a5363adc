#pragma once

#include "../algebra.hpp"
#include "adaptor.hpp"

#include <utility>

namespace fewstep {

template <State X>
struct Inpaint {
  X known, mask;

  template <class D>
  bool operator()(const X& x, const Level<X>& sigma, X& out, Features<X>& features, D& denoise) const {
    static_assert(
        requires { algebra<X>::blend(out, known, mask); }, "inpainted: algebra<X> has no member blend(x, y, mask)");
    const bool given = detail::denoise(denoise, x, sigma, out, features);
    algebra<X>::blend(out, known, mask);
    return given;
  }
};

/// D' = mask known + (1 - mask) D: what is known is put in place of its denoised part at every evaluation, so that
/// those numbers of x follow known + (sigma/sigma_0)(x_0 - known) and a run to level 0 ends at `known` exactly.
/// @param known, mask  as the state, or of one sample and then the same for all; mask from 0 to 1
/// @throws std::invalid_argument at the first evaluation for shapes that do not fit.
template <class D, State X>
auto inpainted(D denoise, X known, X mask) {
  return detail::adapt(Inpaint<X>{std::move(known), std::move(mask)}, std::move(denoise));
}

}  // namespace fewstep
