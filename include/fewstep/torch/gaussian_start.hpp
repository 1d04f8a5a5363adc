// The denoiser of a Gaussian start on tensors.
#pragma once

#include "../denoisers/gaussian_start.hpp"

#include <torch/types.h>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace fewstep {

/// A GaussianStart on one device, and its denoiser.
struct TensorGaussianStart {
  torch::Tensor means;       // [classes + 1, C, H, W], float32; the last entry is the unconditional one
  torch::Tensor directions;  // [classes + 1, rank, C, H, W], float32
  torch::Tensor variances;   // [classes + 1, rank], float64
  double variance = 0;       // along all other directions

  /// Copies a start to a device. C, H, W stand for GaussianStart::shape, whatever its number of extents.
  ///
  /// @throws std::invalid_argument as GaussianStart::validate.
  static TensorGaussianStart from(const GaussianStart& start, torch::Device device = torch::kCPU) {
    start.validate();
    const auto entries = static_cast<std::int64_t>(start.means.size()), rank = static_cast<std::int64_t>(start.rank());
    const auto stacked = [&](const auto& rows, std::vector<std::int64_t> shape, torch::ScalarType type) {
      torch::Tensor all = torch::empty({entries, static_cast<std::int64_t>(rows[0].size())}, type);
      for (std::size_t k = 0; k < rows.size(); ++k)
        if (!rows[k].empty())
          all[static_cast<std::int64_t>(k)].copy_(
              torch::from_blob(const_cast<void*>(static_cast<const void*>(rows[k].data())), {all.size(1)}, type));
      shape.insert(shape.begin(), entries);
      return all.reshape(shape).to(device);
    };
    std::vector<std::int64_t> ranked = start.shape;
    ranked.insert(ranked.begin(), rank);
    return {stacked(start.means, start.shape, torch::kFloat32), stacked(start.directions, ranked, torch::kFloat32),
            stacked(start.variances, {rank}, torch::kFloat64), start.variance};
  }

  /// Copies the start back: the inverse of from().
  GaussianStart values() const {
    const auto rows = [](const torch::Tensor& tensor, auto zero) {
      using T = decltype(zero);
      const torch::Tensor flat = tensor.flatten(1).to(torch::kCPU, c10::CppTypeToScalarType<T>::value).contiguous();
      std::vector<std::vector<T>> all;
      for (std::int64_t k = 0; k < flat.size(0); ++k) {
        const T* first = flat.template data_ptr<T>() + k * flat.size(1);
        all.emplace_back(first, first + flat.size(1));
      }
      return all;
    };
    return {means.sizes().slice(1).vec(), rows(means, 0.f), rows(directions, 0.f), rows(variances, 0.), variance};
  }

  /// Returns the denoiser D(x, sigma) of GaussianStart for a batch: x [B, C, H, W]; sigma [] or [B]. Computes in the
  /// type of x, except the combination of means by guidance (float32) and the shares v/(v + sigma^2) (float64).
  ///
  /// @param labels          [N, classes], N >= B, one row per sample as a network takes them: one-hot, zeros for
  ///                        unconditional samples; undefined: all samples are unconditional
  /// @param guidance_scale  classifier-free guidance; 1: none. Unconditional samples ignore it.
  auto denoiser(const torch::Tensor& labels, double guidance_scale = 1) const {
    const torch::Tensor m = means.flatten(1), v = directions.flatten(0, 1).flatten(1);
    const std::int64_t classes = means.size(0) - 1, rank = directions.size(1);
    // Guidance is a weighted sum of the entries' denoisers.
    torch::Tensor weights = torch::cat({torch::zeros({1, classes}), torch::ones({1, 1})}, 1).to(m.options());
    if (labels.defined())
      weights = torch::cat({labels * guidance_scale, 1 - guidance_scale * labels.sum(1, true)}, 1).to(m.options());
    const torch::Tensor mean = weights.mm(m), direction_weights = weights.repeat_interleave(rank, 1);
    const torch::Tensor means_along = directions.flatten(2).matmul(m.unsqueeze(2)).flatten();
    return [=, rest = variance, along = variances.flatten()](const torch::Tensor& x,
                                                             const torch::Tensor& sigma) -> torch::Tensor {
      const auto per_sample = [&](const torch::Tensor& t) {
        return (t.size(0) > 1 ? t.narrow(0, 0, x.size(0)) : t).to(x.options());
      };
      const torch::Tensor noise = sigma.dim() == 0 ? sigma.square() : sigma.square().reshape({-1, 1}),
                          share = rest / (rest + noise), flat = x.flatten(1), base = per_sample(mean),
                          axes = v.to(x.options());
      const torch::Tensor extra = per_sample(direction_weights) * (along / (along + noise) - share).to(x.options());
      const torch::Tensor coordinates = (flat.mm(axes.t()) - means_along.to(x.options())) * extra;
      return torch::addmm(base + (flat - base) * share.to(x.options()), coordinates, axes).reshape(x.sizes());
    };
  }
};

}  // namespace fewstep
