// What `calibrate` compares of where trajectories end: pictures as they are shown and, where asked for, what
// classifiers make of them.
#pragma once

#include "classifier.hpp"

#include <torch/torch.h>

#include <memory>
#include <vector>

namespace fewstep::examples {

/// Two ends are as far apart as the squared differences of what it gives, summed: of a picture's numbers; of its
/// features by each classifier; of the means and covariances of its batch's features, scaled so that they sum to the
/// Frechet distance between the batches (to second order).
struct Sight {
  double shown = 0;                                           // pictures are limited to +-this; 0: they are not
  std::vector<std::shared_ptr<Classifier>> classifiers = {};  // none: pictures alone
  double feature_weight = 10, moment_weight = 0;              // of differences; of those in pictures' numbers it is 1

  /// [B, 1, 32, 32] to [B, numbers], moments of the batch the same for each picture. Where these count, look_along()
  /// comes first.
  torch::Tensor operator()(const torch::Tensor& x) const {
    const torch::NoGradGuard no_grad;
    const torch::Tensor picture = limited(x);
    if (classifiers.empty()) return picture;
    const torch::Tensor feature = features(picture);
    std::vector<torch::Tensor> parts{picture.flatten(1), feature_weight * feature};
    if (moment_weight > 0) {
      const auto of_all = [&](const torch::Tensor& moments) {
        parts.push_back((moment_weight * moments).flatten().expand({x.size(0), -1}));
      };
      of_all(feature.mean(0));
      of_all(axes_.t().mm(covariance(feature)).mm(axes_) * scales_);
    }
    return torch::cat(parts, 1);
  }

  /// Settles the coordinates of covariances: the axes along which the features of a teacher's ends vary by themselves.
  /// Bures' distance (Frechet's between Gaussians of one mean) from C to C + D is there sum of D_ij^2 / (2 (l_i +
  /// l_j)), l the variances, to second order.
  void look_along(const torch::Tensor& ends) {
    const torch::NoGradGuard no_grad;
    if (classifiers.empty() || moment_weight == 0) return;
    const torch::Tensor feature = features(limited(ends));
    const auto [variances, axes] = torch::linalg_eigh(covariance(feature).to(torch::kFloat64));
    const torch::Tensor some =
        variances.clamp_min(1e-4 * variances.max().item<double>());  // what hardly varies counts no more than this
    axes_ = axes.to(feature.scalar_type());
    scales_ = (2 * (some.unsqueeze(0) + some.unsqueeze(1))).rsqrt().to(feature.scalar_type());
  }

 private:
  torch::Tensor limited(const torch::Tensor& x) const { return shown > 0 ? x.clamp(-shown, shown) : x; }
  torch::Tensor features(const torch::Tensor& pictures) const {
    std::vector<torch::Tensor> all;
    for (const auto& classifier : classifiers) all.push_back(classifier->forward(pictures).feature);
    return torch::cat(all, 1);
  }
  static torch::Tensor covariance(const torch::Tensor& features) {
    const torch::Tensor centred = features - features.mean(0);
    return centred.t().mm(centred) / features.size(0);
  }
  torch::Tensor axes_, scales_;  // [features, features]
};

}  // namespace fewstep::examples
