// Classifier guidance by automatic differentiation.
#pragma once

#include "../denoisers/adaptor.hpp"
#include "../errors.hpp"
#include "algebra.hpp"

#include <torch/autograd.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>
#include <utility>

namespace fewstep {

/// The rule of classifier_guided().
template <class P>
struct ClassifierGuidance {
  P log_probability;
  double scale;

  template <class D>
  bool operator()(const torch::Tensor& x, const Level<torch::Tensor>& sigma, torch::Tensor& out,
                  torch::Tensor& features, D& denoise) const {
    const bool has_features = detail::denoise(denoise, x, sigma, out, features);
    const torch::Tensor shift = gradient(x, algebra<torch::Tensor>::native(sigma, x));
    const double weight = scale;
    combine(out, levels(sigma), [weight](const auto& s) { return Pack{unit, weight * s * s}; }, out, shift);
    return has_features;
  }

 private:
  /// Returns the gradient of log p(y | x, sigma) with respect to x, itself differentiable if the run records gradients.
  torch::Tensor gradient(torch::Tensor x, torch::Tensor sigma) const {
    const bool recorded = torch::GradMode::is_enabled() && !c10::InferenceMode::is_enabled();
    // Autograd rejects tensors of inference mode, in which runs are: copies are differentiated outside that mode.
    const c10::InferenceMode ordinary(false);
    const torch::AutoGradMode on(true);
    if (x.is_inference()) x = x.clone();
    if (sigma.is_inference()) sigma = sigma.clone();
    if (!recorded) {
      x = x.detach();
      sigma = sigma.detach();
    }
    if (!x.requires_grad()) x = x.detach().requires_grad_();
    const torch::Tensor total = log_probability(std::as_const(x), std::as_const(sigma)).sum();
    return torch::autograd::grad({total}, {x}, {}, recorded, recorded)[0];
  }
};

/// A denoiser of tensors with classifier guidance.
///
///   D' = D + scale sigma^2 grad_x log p(y | x, sigma)
///
/// At scale 1, with an exact classifier, D' is the denoiser of data with label y.
/// @param denoise          any denoiser
/// @param log_probability  (x, sigma) -> log p(y | x, sigma), [B], by differentiable operations; x: x0 + sigma noise,
///                         [B, ...]; sigma: [] or [B]
/// @param scale            guidance scale; 0: none, 1 to 10 are useful
/// @throws std::invalid_argument unless scale is finite.
/// NFE per call: that of `denoise`, with one forward and backward pass of the classifier in addition.
/// Source: Dhariwal & Nichol 2021, arXiv 2105.05233, section 4.2.
template <class D, class P>
auto classifier_guided(D denoise, P log_probability, double scale = 1) {
  require(std::isfinite(scale), "scale", scale, "finite numbers");
  return detail::adapt(ClassifierGuidance<P>{std::move(log_probability), scale}, std::move(denoise));
}

}  // namespace fewstep
