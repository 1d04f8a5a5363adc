// Fashion-MNIST (Xiao et al. 2017, arXiv 1708.07747) from its IDX files, plain or gzipped.
#pragma once

#include <torch/torch.h>
#include <zlib.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace fewstep::examples {

inline constexpr const char* fashion_mnist_folder =
    "/usr/share/datasets/fashion-mnist";  // Debian: dataset-fashion-mnist
inline constexpr std::array<const char*, 10> fashion_mnist_labels{"t-shirt", "trousers", "pullover", "dress", "coat",
                                                                  "sandal",  "shirt",    "sneaker",  "bag",   "boot"};

namespace detail {

/// The bytes behind an IDX header of `dims` extents, zlib reading plain and gzipped files alike.
inline torch::Tensor read_idx(const std::filesystem::path& path, int dims) {
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(gzopen(path.c_str(), "rb"), gzclose);
  const auto read = [&](void* to, unsigned bytes) {
    if (!file || gzread(file.get(), to, bytes) != static_cast<int>(bytes))
      throw std::runtime_error(path.string() + ": not a complete IDX file");
  };
  const auto big_endian = [&] {
    std::array<unsigned char, 4> b{};
    read(b.data(), 4);
    return std::int64_t{b[0]} << 24 | std::int64_t{b[1]} << 16 | std::int64_t{b[2]} << 8 | std::int64_t{b[3]};
  };
  if (big_endian() != (0x0800 | dims))  // 08: unsigned bytes
    throw std::runtime_error(path.string() + ": not an IDX file of bytes with " + std::to_string(dims) + " extents");
  std::vector<std::int64_t> shape;
  for (int i = 0; i < dims; ++i) shape.push_back(big_endian());
  torch::Tensor bytes = torch::empty(shape, torch::kUInt8);
  read(bytes.data_ptr(), static_cast<unsigned>(bytes.numel()));
  return bytes;
}

}  // namespace detail

struct LabelledImages {
  torch::Tensor images;  // [N, 1, 32, 32], float32 in [-1, 1], the 28x28 pixels in a frame of -1
  torch::Tensor labels;  // [N], int64, 0..9
};

/// @param split  "train" (60,000 images) or "t10k" (10,000)
/// @throws std::runtime_error naming the file that is missing or malformed.
inline LabelledImages load_fashion_mnist(const std::filesystem::path& folder, const std::string& split) {
  const auto find = [&](const std::string& name) {
    for (const std::string& file : {name + ".gz", name})
      if (std::filesystem::exists(folder / file)) return folder / file;
    throw std::runtime_error((folder / name).string() +
                             ": no such file (Debian: apt-get install dataset-fashion-mnist)");
  };
  const torch::Tensor pixels = detail::read_idx(find(split + "-images-idx3-ubyte"), 3);
  const torch::Tensor labels = detail::read_idx(find(split + "-labels-idx1-ubyte"), 1);
  const torch::Tensor scaled = pixels.unsqueeze(1).to(torch::kFloat32) / 127.5 - 1;
  return {torch::constant_pad_nd(scaled, {2, 2, 2, 2}, -1), labels.to(torch::kInt64)};
}

}  // namespace fewstep::examples
