// Fashion-MNIST (Xiao et al. 2017, arXiv 1708.07747) from its IDX files, plain or gzipped.
#pragma once

#include "labelled_images.hpp"

#include <array>
#include <filesystem>
#include <string>

namespace fewstep::examples {

inline constexpr const char* fashion_mnist_folder =
    "/usr/share/datasets/fashion-mnist";  // Debian: dataset-fashion-mnist
inline constexpr std::array<const char*, 10> fashion_mnist_labels{"t-shirt", "trousers", "pullover", "dress", "coat",
                                                                  "sandal",  "shirt",    "sneaker",  "bag",   "boot"};

/// Returns images [N, 1, 32, 32], 28x28 pixels inside a frame of -1, and labels 0..9.
/// @param split  "train" (60,000 images) or "t10k" (10,000)
/// @throws std::runtime_error naming the file that is missing or malformed.
LabelledImages load_fashion_mnist(const std::filesystem::path& folder, const std::string& split);

}  // namespace fewstep::examples
