// The exact denoiser of a Gaussian mixture on tensors.
#pragma once

#include "../denoisers/gaussian_mixture.hpp"
#include "../errors.hpp"

#include <torch/types.h>

#include <concepts>
#include <cstdint>
#include <tuple>
#include <vector>

namespace fewstep {

/// The exact denoiser of a Gaussian mixture on tensors, differentiable; eigen/gaussian_mixture.hpp has the formula.
/// Parameters are kept in float64 and converted to the type and device of x at each call.
class TensorMixtureDenoiser {
 public:
  /// @throws std::invalid_argument as GaussianMixture::validate().
  explicit TensorMixtureDenoiser(const GaussianMixture& mixture) {
    mixture.validate();
    set(mixture.weights, mixture.means);
    variances_ = torch::tensor(mixture.deviations, torch::kFloat64).square().unsqueeze(1).expand_as(means_);
  }

  /// @throws std::invalid_argument as CorrelatedMixture::validate(), and for a covariance that is not positive
  /// semidefinite.
  template <std::same_as<CorrelatedMixture> Mixture>  // a template, so that {...} means a GaussianMixture
  explicit TensorMixtureDenoiser(const Mixture& mixture) {
    mixture.validate();
    set(mixture.weights, mixture.means);
    const std::int64_t d = means_.size(1);
    std::tie(variances_, axes_) = torch::linalg_eigh(rows(mixture.covariances).view({-1, d, d}), "L");
    constexpr double rounding = 1e-12;  // eigenvalues this far below 0, relative to the largest, count as 0
    const double smallest = (variances_.min)().item<double>(), largest = (variances_.max)().item<double>();
    require(smallest > -rounding * largest, "the smallest eigenvalue of CorrelatedMixture::covariances", smallest,
            "0 or more");
    variances_ = variances_.clamp_min(0);
  }

  /// Evaluates the denoiser.
  /// @param x      [B, ...] with as many numbers per sample as the mixture's means
  /// @param sigma  [] or [B]
  /// @return D(x, sigma), of x's shape
  torch::Tensor operator()(const torch::Tensor& x, const torch::Tensor& sigma) const {
    const auto to = [&](const torch::Tensor& t) { return t.to(x.options()); };
    torch::Tensor offset = x.flatten(1).unsqueeze(1) - to(means_);  // [B, K, d]
    if (axes_.defined()) offset = torch::matmul(offset.unsqueeze(2), to(axes_)).squeeze(2);
    const torch::Tensor v = to(variances_) + to(sigma).reshape({-1, 1, 1}).square();
    const torch::Tensor logits = to(log_weights_) - 0.5 * (v.log() + offset.square() / v).sum(2);
    offset = offset * (to(variances_) / v);
    if (axes_.defined()) offset = torch::matmul(to(axes_), offset.unsqueeze(3)).squeeze(3);
    return (torch::softmax(logits, 1).unsqueeze(2) * (to(means_) + offset)).sum(1).view_as(x);
  }

 private:
  static torch::Tensor rows(const std::vector<std::vector<double>>& values) {
    std::vector<torch::Tensor> tensors;
    for (const std::vector<double>& row : values) tensors.push_back(torch::tensor(row, torch::kFloat64));
    return torch::stack(tensors);
  }
  void set(const std::vector<double>& weights, const std::vector<std::vector<double>>& means) {
    log_weights_ = torch::tensor(weights, torch::kFloat64).log();
    means_ = rows(means);
  }

  torch::Tensor log_weights_, means_, variances_, axes_;
};

}  // namespace fewstep
