// The branches of a guided denoiser for a table that is fitted to a range of guidance scales.
#pragma once

#include "../algebra.hpp"
#include "../branches.hpp"
#include "../guidance_scales.hpp"
#include "adaptor.hpp"

#include <cstddef>
#include <utility>
#include <vector>

namespace fewstep {

/// The rule of scale_polynomials().
struct ScalePolynomials {
  std::vector<double> factors;  ///< of each node, at the denoiser's guidance scale

  template <State X, class D>
  bool operator()(const X& x, const Level<X>& sigma, X& out, Features<X>& features, D& inner) const {
    return detail::denoise(inner, x, sigma, out, features);
  }

  template <class D>
  std::size_t branches(const D& inner) const {
    return factors.size() * inner.branches();
  }
  template <class X, class D>
  void evaluate_branches(const Level<X>& sigma, BranchCall<X>& call, D& inner) const {
    const std::size_t own = inner.branches();
    call.require_branches(factors.size() * own);
    std::vector<X*> outputs(own);
    for (std::size_t b = 0; b < call.outputs.size(); ++b)
      if (!outputs[b % own]) outputs[b % own] = call.outputs[b];
    BranchCall<X> whole{.x = call.x, .outputs = outputs, .features = call.features};
    inner.evaluate_branches(sigma, whole);
    call.has_features = whole.has_features;
    call.evaluations = whole.evaluations;
    for (std::size_t b = call.outputs.size(); b-- > 0;)  // the one that was evaluated comes last
      if (X* out = call.outputs[b]) shrink(*out, factors[b / own], call.x, *outputs[b % own]);
  }

 private:
  /// out <- x + factor (denoised - x), whose slope is `factor` times that of `denoised`.
  template <State X>
  static void shrink(X& out, double factor, const X& x, const X& denoised) {
    scale(out, factor, denoised);
    add_scaled(out, 1 - factor, x);
  }
};

/// A guided denoiser whose branches stand for the polynomials of a GuidanceTable: branch p B + b has the slope of
/// branch b of B, times the polynomial of node p at the denoiser's scale. Where each batch has a scale of its own,
/// calibrate() fits one table to all of them:
///
///   const GuidanceScales scales{{1.5, 3, 8}};
///   const auto denoise = per_batch([&](std::size_t batch) {
///     const double scale = scale_of_batch(scales, batch);
///     return scale_polynomials(guided(conditional, unconditional, {.scale = scale}), scales, scale);
///   });
///   const GuidanceTable start = over_scales(found.table, scales, afs);
///   const GuidanceTable fitted{scales, calibrate(denoise, start.table, noise, options).table};
///
/// @param denoise  a denoiser of several branches, such as guided()
/// @param scale    its guidance scale, within the range of `scales`
/// @throws std::invalid_argument for scales or a scale out of range.
template <class D>
auto scale_polynomials(D denoise, const GuidanceScales& scales, double scale) {
  scales.validate();
  return detail::adapt(ScalePolynomials{scales.weights(scale)}, std::move(denoise));
}

}  // namespace fewstep
