#include "fashion_mnist.hpp"

#include <zlib.h>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <vector>

namespace fewstep::examples {

namespace {

constexpr std::int64_t unsigned_bytes = 0x0800;  // an IDX file's type of elements

/// Reads an IDX file with `dims` extents; zlib reads plain and gzipped files alike.
torch::Tensor read_idx(const std::filesystem::path& path, int dims) {
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
  if (big_endian() != (unsigned_bytes | dims))
    throw std::runtime_error(path.string() + ": not an IDX file of bytes with " + std::to_string(dims) + " extents");
  std::vector<std::int64_t> shape;
  for (int i = 0; i < dims; ++i) shape.push_back(big_endian());
  torch::Tensor bytes = torch::empty(shape, torch::kUInt8);
  read(bytes.data_ptr(), static_cast<unsigned>(bytes.numel()));
  return bytes;
}

}  // namespace

LabelledImages load_fashion_mnist(const std::filesystem::path& folder, const std::string& split) {
  const auto find = [&](const std::string& name) {
    for (const std::string& file : {name + ".gz", name})
      if (std::filesystem::exists(folder / file)) return folder / file;
    throw std::runtime_error((folder / name).string() +
                             ": no such file (Debian: apt-get install dataset-fashion-mnist)");
  };
  const torch::Tensor pixels = read_idx(find(split + "-images-idx3-ubyte"), 3);
  const torch::Tensor labels = read_idx(find(split + "-labels-idx1-ubyte"), 1);
  const torch::Tensor scaled = pixels.unsqueeze(1).to(torch::kFloat32) / 127.5 - 1;
  return {torch::constant_pad_nd(scaled, {2, 2, 2, 2}, -1), labels.to(torch::kInt64)};
}

}  // namespace fewstep::examples
