// The data sets that train_denoiser trains on.
#pragma once

#include "labelled_images.hpp"

#include <torch/types.h>

#include <string>
#include <vector>

namespace fewstep::examples {

struct TrainingData {
  LabelledImages train, test;
  std::vector<std::string> labels;  // names of the classes
  /// [images of train], bool: whether the mirror image is as good; undefined: none is.
  torch::Tensor mirrors;
};

/// The names that load_training_data() takes.
inline const std::vector<std::string> training_data_names{"fashion-mnist", "emoji"};

/// @param name  one of training_data_names
/// @param path  folder of the IDX files, or the font of emoji; empty: where Debian's package puts it
/// @throws std::runtime_error naming the file that is missing or malformed.
TrainingData load_training_data(const std::string& name, const std::string& path);

/// Mirrors half of the images for which that is allowed. The choice is drawn from LibTorch's global generator.
/// @param images   [B, C, H, W]
/// @param mirrors  [B], bool; undefined: returns the images, and draws nothing
torch::Tensor mirrored_at_random(const torch::Tensor& images, const torch::Tensor& mirrors);

}  // namespace fewstep::examples
