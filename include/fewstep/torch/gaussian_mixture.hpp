// The exact denoiser of a Gaussian mixture on tensors.
#pragma once

#include "../denoisers/gaussian_mixture.hpp"
#include "../errors.hpp"

#include <torch/types.h>

#include <cstdint>
#include <tuple>
#include <vector>

namespace fewstep {

/// The exact denoiser of a Gaussian mixture on tensors, differentiable; eigen/gaussian_mixture.hpp has the formula.
/// Parameters are kept in float64 and converted to the type and device of x at each call.
class TensorMixtureDenoiser {
 public:
  /// @throws std::invalid_argument as GaussianMixture::validate(), and for a covariance that is not positive
  /// semidefinite.
  explicit TensorMixtureDenoiser(const GaussianMixture& mixture) {
    mixture.validate();
    const auto n = static_cast<std::int64_t>(mixture.weights.size()),
               d = static_cast<std::int64_t>(mixture.dimension());
    const auto table = [&](const auto& rows) {
      std::vector<torch::Tensor> tensors;
      for (const auto& row : rows) tensors.push_back(torch::tensor(row, torch::kFloat64));
      return torch::stack(tensors);
    };
    log_weights_ = torch::tensor(mixture.weights, torch::kFloat64).log();
    means_ = table(mixture.means);
    if (mixture.covariances.empty()) {
      variances_ = torch::tensor(mixture.deviations, torch::kFloat64).square().view({n, 1}).expand({n, d});
    } else {
      std::tie(variances_, axes_) = torch::linalg_eigh(table(mixture.covariances).view({n, d, d}), "L");
      constexpr double rounding = 1e-12;  // eigenvalues this far below 0, relative to the largest, count as 0
      const double smallest = (variances_.min)().item<double>(), largest = (variances_.max)().item<double>();
      require(smallest > -rounding * largest, "the smallest eigenvalue of GaussianMixture::covariances", smallest,
              "0 or more");
      variances_ = variances_.clamp_min(0);
    }
  }

  /// Evaluates the denoiser.
  /// @param x      [B, ...] with GaussianMixture::dimension() numbers per sample
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
  torch::Tensor log_weights_, means_, variances_, axes_;
};

}  // namespace fewstep
