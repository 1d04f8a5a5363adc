#pragma once

#include "../denoisers/adaptor.hpp"
#include "../errors.hpp"
#include "algebra.hpp"

#include <torch/autograd.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>
#include <tuple>
#include <utility>

namespace fewstep {

template <class P>
struct ClassifierGuidance {
  P log_probability;
  double scale;

  template <class D>
  bool operator()(const torch::Tensor& x, const Level<torch::Tensor>& sigma, torch::Tensor& out,
                  torch::Tensor& features, D& denoise) const {
    const bool given = detail::denoise(denoise, x, sigma, out, features);
    const torch::Tensor push = gradient(x, algebra<torch::Tensor>::native(sigma, x));
    const double weight = scale;
    combine(out, levels(sigma), [weight](const auto& s) { return std::tuple{unit, weight * s * s}; }, out, push);
    return given;
  }

 private:
  /// Of log p(y | x, sigma) with respect to x, and differentiable itself where the run records gradients.
  torch::Tensor gradient(torch::Tensor x, torch::Tensor sigma) const {
    const bool recorded = torch::GradMode::is_enabled() && !c10::InferenceMode::is_enabled();
    // Runs are made under inference mode, whose tensors autograd refuses: work on ordinary copies in ordinary mode.
    const c10::InferenceMode ordinary(false);
    const torch::AutoGradMode on(true);
    if (x.is_inference()) x = x.clone();
    if (sigma.is_inference()) sigma = sigma.clone();
    if (!recorded) x = x.detach(), sigma = sigma.detach();
    if (!x.requires_grad()) x = x.detach().requires_grad_();
    const torch::Tensor total = log_probability(std::as_const(x), std::as_const(sigma)).sum();
    return torch::autograd::grad({total}, {x}, {}, recorded, recorded)[0];
  }
};

/// Classifier guidance, D' = D + scale sigma^2 grad_x log p(y | x, sigma) (Dhariwal & Nichol 2021, arXiv 2105.05233,
/// section 4.2): at scale 1 the denoiser of the data given y, where the classifier is exact.
/// @param log_probability  (x, sigma) -> [B], x: x0 + sigma noise, [B, ...], sigma: [] or [B]; by operations that
///                         autograd follows
/// @throws std::invalid_argument unless scale is finite.
template <class D, class P>
auto classifier_guided(D denoise, P log_probability, double scale = 1) {
  require(std::isfinite(scale), "scale", scale, "finite numbers");
  return detail::adapt(ClassifierGuidance<P>{std::move(log_probability), scale}, std::move(denoise));
}

}  // namespace fewstep
