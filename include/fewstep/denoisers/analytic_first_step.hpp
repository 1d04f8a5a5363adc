#pragma once

#include "../denoiser.hpp"
#include "adaptor.hpp"

#include <utility>

namespace fewstep {

template <class F>
struct AnalyticFirstStep {
  F free;

  template <State X, class D>
  bool operator()(const X& x, const Level<X>& sigma, X& out, Features<X>& features, D& denoise) const {
    return detail::denoise(denoise, x, sigma, out, features);
  }
  template <State X>
    requires Denoiser<const F, X>
  void analytic_first_step(const X& x, const Level<X>& sigma, X& out) const {
    Features<X> unused{};
    detail::denoise(free, x, sigma, out, unused);
  }
};

/// A denoiser whose analytic start (Options::analytic_first_step) is `free`, one that costs nothing: that of a Gaussian
/// or a mixture with the data's mean and covariance (MixtureDenoiser) tells where a trajectory leads better than N(0,
/// 1) does. Source: Dockhorn et al. 2022, arXiv 2210.05475 (N(0, 1)); Wang & Vastola 2024, arXiv 2403.02726 (Gaussian
/// scores at high noise).
template <class D, class F>
auto with_analytic_first_step(D denoise, F free) {
  return detail::adapt(AnalyticFirstStep<F>{std::move(free)}, std::move(denoise));
}

}  // namespace fewstep
