// Batches of images as pictures and NumPy arrays.
#pragma once

#include "image_grid.hpp"

#include <torch/types.h>

#include <filesystem>

namespace fewstep::examples {

/// A picture of images [B, C, H, W], C 1 or 3, with values in [-1, 1].
/// @param columns  0: as square as possible
/// @param scale    pixels of the picture per pixel of an image
Image picture(const torch::Tensor& images, int columns = 0, int scale = 1);

/// The values of a range as those of a picture, [-1, 1].
torch::Tensor in_range(const torch::Tensor& samples, double low, double high);

/// Writes a tensor in float32 as a .npy file.
/// @throws std::runtime_error if the file cannot be written.
void write_npy(const std::filesystem::path& path, const torch::Tensor& tensor);

}  // namespace fewstep::examples
