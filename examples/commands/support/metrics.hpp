// Distances between sets of images, with bootstrap intervals.
#pragma once

#include <torch/types.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace fewstep::examples {

/// Returns [count] in float64: how often each of `count` images is drawn in a bootstrap resample (Efron 1979).
/// @param index  number of the resample; 0: every image once
torch::Tensor resample(std::int64_t count, std::uint64_t index);

/// Mean and covariance of features [N, F] with a weight per row.
struct Moments {
  torch::Tensor mean, covariance;

  Moments(const torch::Tensor& features, const torch::Tensor& weights);
};

/// Frechet distance between two Gaussians, |m - m'|^2 + tr(C + C' - 2 (C C')^(1/2)) (Heusel et al. 2017, arXiv
/// 1706.08500).
double frechet(const Moments& a, const Moments& b);

/// Images [N, ...] projected onto random unit directions, sorted along each: the input of sliced_wasserstein().
struct Slices {
  torch::Tensor values, order;  // [directions, N]: projections, and the images that they belong to

  /// The directions are the same for all sets of images of one size.
  explicit Slices(const torch::Tensor& images, std::int64_t directions = 64);
};

/// Sliced 2-Wasserstein distance between two sets of N images (Bonneel et al. 2015), weighted as in Moments.
double sliced_wasserstein(const Slices& a, const torch::Tensor& weights_a, const Slices& b,
                          const torch::Tensor& weights_b);

/// A figure and its values on bootstrap resamples.
struct Figure {
  std::vector<double> values;  // [0]: the figure; the others: resamples

  double value() const { return values[0]; }
  /// Half the width of the interval from the 2.5% to the 97.5% quantile of the resamples.
  double margin() const;
  friend Figure operator-(Figure a, const Figure& b) {
    for (std::size_t i = 0; i < a.values.size(); ++i) a.values[i] -= b.values[i];
    return a;
  }
  friend Figure operator/(Figure a, const Figure& b) {
    for (std::size_t i = 0; i < a.values.size(); ++i) a.values[i] /= b.values[i];
    return a;
  }
};

}  // namespace fewstep::examples
