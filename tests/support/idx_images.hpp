#pragma once

#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <string>

namespace fewstep::test {

/// Writes images with arbitrary pixels in the format of Fashion-MNIST.
inline void write_images(const std::filesystem::path& folder, const std::string& split, unsigned char count) {
  std::filesystem::create_directories(folder);
  std::ofstream images(folder / (split + "-images-idx3-ubyte"), std::ios::binary),
      labels(folder / (split + "-labels-idx1-ubyte"), std::ios::binary);
  const auto put = [](std::ofstream& out, std::initializer_list<int> bytes) {
    for (const int b : bytes) out.put(static_cast<char>(b));
  };
  put(images, {0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 28, 0, 0, 0, 28});
  put(labels, {0, 0, 8, 1, 0, 0, 0, count});
  for (int i = 0; i < count * 28 * 28; ++i) images.put(static_cast<char>(i * 7919 % 251));
  for (int i = 0; i < count; ++i) labels.put(static_cast<char>(i % 10));
}

}  // namespace fewstep::test
