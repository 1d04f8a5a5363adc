#include "fashion_mnist.hpp"

#include "idx.hpp"

#include <fewstep/io/file_error.hpp>

#include <torch/utils.h>

#include <cstdint>
#include <cstring>
#include <string>

namespace fewstep::examples {

namespace {

constexpr std::int64_t side = 28, margin = 2;  // pixels
constexpr auto classes = std::ssize(fashion_mnist_labels);

torch::Tensor tensor(const IdxArray& array) {
  torch::Tensor made = torch::empty(array.shape, torch::kUInt8);
  std::memcpy(made.data_ptr(), array.bytes.data(), array.bytes.size());
  return made;
}

}  // namespace

LabelledImages load_fashion_mnist(const std::filesystem::path& folder, const std::string& split) {
  const auto find = [&](const std::string& name) {
    for (const std::string& file : {name + ".gz", name})
      if (std::filesystem::exists(folder / file)) return folder / file;
    throw io::file_error(folder / name, "no such file (Debian: apt-get install dataset-fashion-mnist)");
  };
  const auto image_file = find(split + "-images-idx3-ubyte"), label_file = find(split + "-labels-idx1-ubyte");
  const torch::Tensor pixels = tensor(read_idx(image_file, 3)), labels = tensor(read_idx(label_file, 1));
  if (pixels.size(1) != side || pixels.size(2) != side)
    throw io::file_error(image_file, "images of " + std::to_string(pixels.size(1)) + "x" +
                                         std::to_string(pixels.size(2)) + " pixels; allowed: 28x28");
  if (labels.size(0) != pixels.size(0))
    throw io::file_error(label_file,
                         std::to_string(labels.size(0)) + " labels for " + std::to_string(pixels.size(0)) + " images");
  if (const auto largest = labels.max().item<std::int64_t>(); largest >= classes)
    throw io::file_error(label_file,
                         "a label is " + std::to_string(largest) + "; allowed: 0 to " + std::to_string(classes - 1));
  const torch::Tensor scaled = pixels.unsqueeze(1).to(torch::kFloat32) / 127.5 - 1;
  return {torch::constant_pad_nd(scaled, {margin, margin, margin, margin}, -1), labels.to(torch::kInt64)};
}

}  // namespace fewstep::examples
