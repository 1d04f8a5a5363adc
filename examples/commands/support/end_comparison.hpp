// How `calibrate` compares the last states of two trajectories.
#pragma once

#include "command_line.hpp"
#include "samples.hpp"
#ifdef FEWSTEP_TORCH
#include "classifier.hpp"

#include <memory>
#endif

#include <filesystem>
#include <vector>

namespace fewstep::examples {

/// Maps a batch of images to vectors whose squared distance measures how far apart images are. A vector holds the
/// image's pixels; with classifiers, its features by each of them, weighted; with a moment weight, mean and covariance
/// of the batch's features, scaled such that their squared differences sum to the Frechet distance between the batches
/// (to second order).
struct EndComparison {
  double shown = 0;                               // pixels are clamped to [-shown, shown]; 0: not clamped
  double feature_weight = 10, moment_weight = 0;  // of differences; that of pixels is 1
#ifdef FEWSTEP_TORCH
  std::vector<std::shared_ptr<Classifier>> classifiers = {};  // none: pixels only
#endif

  /// Adds --shown.
  void add_shown(CommandLine& line);
  /// Adds --classifier, --feature-weight and --moment-weight.
  void add_classifiers(CommandLine& line, std::vector<std::filesystem::path>& files);

  /// Loads classifiers.
  /// @param sample_shape  of the images
  /// @throws std::runtime_error as load_classifier(); std::invalid_argument for images of another shape than theirs.
  void load(const std::vector<std::filesystem::path>& files, const Shape& sample_shape, const Place& place);

  /// @param x  images [B, 1, 32, 32]; without classifiers of any shape
  /// @return [B, numbers]; without classifiers the clamped images. Moments are the same for all images of the batch and
  ///         need set_axes().
  Samples operator()(const Samples& x) const;

  /// Sets the coordinates in which covariances are compared: the principal axes of the features of a teacher's images.
  /// In these coordinates, the Bures distance (the Frechet distance between Gaussians of equal mean) from C to C + D is
  /// the sum of D_ij^2 / (2 (l_i + l_j)) to second order, with l the variances along the axes.
  void set_axes(const Samples& teacher_images);

 private:
  Samples clamped(Samples x) const;
#ifdef FEWSTEP_TORCH
  torch::Tensor features(const torch::Tensor& images) const;

  torch::Tensor axes_, scales_;  // [features, features]
#endif
};

}  // namespace fewstep::examples
