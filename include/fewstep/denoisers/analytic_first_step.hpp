#pragma once

#include "../denoiser.hpp"
#include "adaptor.hpp"

#include <utility>

namespace fewstep {

/// The rule of with_analytic_first_step().
template <class F>
struct AnalyticFirstStep {
  static constexpr bool keeps_branches = true;
  F analytic;

  template <State X, class D>
  bool operator()(const X& x, const Level<X>& sigma, X& out, Features<X>& features, D& denoise) const {
    return detail::denoise(denoise, x, sigma, out, features);
  }
  template <State X>
    requires Denoiser<const F, X>
  void analytic_first_step(const X& x, const Level<X>& sigma, X& out) const {
    Features<X> unused{};
    detail::denoise(analytic, x, sigma, out, unused);
  }
};

/// A denoiser with its own estimate for the analytic first step (Options::analytic_first_step).
///
/// Without one, the analytic first step assumes data ~ N(0, 1). A Gaussian or a mixture with the data's mean and
/// covariance (MixtureDenoiser) predicts the start of a trajectory more accurately.
/// @param denoise   any denoiser; called in every step except an analytic one
/// @param analytic  a denoiser that evaluates no network
/// NFE per call: that of `denoise`; the analytic first step costs none.
/// Source: Dockhorn et al. 2022, arXiv 2210.05475 (N(0, 1)); Wang & Vastola 2024, arXiv 2403.02726 (Gaussian scores at
/// high noise levels).
template <class D, class F>
auto with_analytic_first_step(D denoise, F analytic) {
  return detail::adapt(AnalyticFirstStep<F>{std::move(analytic)}, std::move(denoise));
}

}  // namespace fewstep
