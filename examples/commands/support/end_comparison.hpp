// How `calibrate` compares the last states of two trajectories.
#pragma once

#include "classifier.hpp"
#include "command_line.hpp"

#include <torch/types.h>

#include <memory>
#include <vector>

namespace fewstep::examples {

/// Maps a batch of images to vectors whose squared distance measures how far apart images are. A vector holds the
/// image's pixels; with classifiers, its features by each of them, weighted; with a moment weight, mean and covariance
/// of the batch's features, scaled such that their squared differences sum to the Frechet distance between the batches
/// (to second order).
struct EndComparison {
  double shown = 0;                                           // pixels are clamped to [-shown, shown]; 0: not clamped
  std::vector<std::shared_ptr<Classifier>> classifiers = {};  // none: pixels only
  double feature_weight = 10, moment_weight = 0;              // of differences; that of pixels is 1

  /// Adds --shown.
  void add_shown(CommandLine& line);
  /// Adds --feature-weight and --moment-weight, which need --classifier.
  void add_weights(CommandLine& line);

  /// @param x  images [B, 1, 32, 32]; without classifiers of any shape
  /// @return [B, numbers]; without classifiers the clamped images. Moments are the same for all images of the batch and
  ///         need set_axes().
  torch::Tensor operator()(const torch::Tensor& x) const;

  /// Sets the coordinates in which covariances are compared: the principal axes of the features of a teacher's images.
  /// In these coordinates, the Bures distance (the Frechet distance between Gaussians of equal mean) from C to C + D is
  /// the sum of D_ij^2 / (2 (l_i + l_j)) to second order, with l the variances along the axes.
  void set_axes(const torch::Tensor& teacher_images);

 private:
  torch::Tensor clamped(const torch::Tensor& x) const;
  torch::Tensor features(const torch::Tensor& images) const;

  torch::Tensor axes_, scales_;  // [features, features]
};

}  // namespace fewstep::examples
