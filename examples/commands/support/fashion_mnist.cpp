#include "fashion_mnist.hpp"

#include <fewstep/io/file_error.hpp>

#include <torch/utils.h>
#include <zlib.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace fewstep::examples {

namespace {

constexpr std::int64_t unsigned_bytes = 0x0800;     // an IDX file's type of elements
constexpr std::int64_t most_bytes = 1'000'000'000;  // of one file, unpacked
constexpr std::int64_t side = 28, margin = 2;       // pixels
constexpr auto classes = std::ssize(fashion_mnist_labels);

/// An IDX file that is open for reading; zlib reads plain and gzipped files alike.
class IdxFile {
 public:
  explicit IdxFile(const std::filesystem::path& path) : path_(path), file_(nullptr, gzclose) {
    io::require_regular_file(path);
    file_.reset(gzopen(path.c_str(), "rb"));
  }

  /// @param dims  number of extents
  torch::Tensor read(int dims) {
    if (number() != (unsigned_bytes | dims)) fail("not an IDX file of bytes with " + std::to_string(dims) + " extents");
    std::vector<std::int64_t> shape;
    std::int64_t total = 1;
    for (int i = 0; i < dims; ++i) {
      shape.push_back(number());
      if (shape.back() < 1 || shape.back() > most_bytes / total)
        fail("an extent is " + std::to_string(shape.back()) + "; allowed: 1 or more, at most " +
             std::to_string(most_bytes) + " bytes in all");
      total *= shape.back();
    }
    std::vector<char> all;
    constexpr std::int64_t piece = 1 << 20;  // so that a short file with large extents takes little memory
    while (std::ssize(all) < total) {
      const std::size_t old = all.size();
      all.resize(old + static_cast<std::size_t>((std::min)(piece, total - std::ssize(all))));
      bytes(all.data() + old, all.size() - old);
    }
    torch::Tensor tensor = torch::empty(shape, torch::kUInt8);
    std::memcpy(tensor.data_ptr(), all.data(), all.size());
    return tensor;
  }

  [[noreturn]] void fail(const std::string& what) const { throw io::file_error(path_, what); }

 private:
  void bytes(void* to, std::size_t count) {
    if (!file_ || gzread(file_.get(), to, static_cast<unsigned>(count)) != static_cast<int>(count))
      fail("not a complete IDX file");
  }
  /// A big-endian number of 32 bits.
  std::int64_t number() {
    std::array<unsigned char, 4> b{};
    bytes(b.data(), b.size());
    return std::int64_t{b[0]} << 24 | std::int64_t{b[1]} << 16 | std::int64_t{b[2]} << 8 | std::int64_t{b[3]};
  }

  std::filesystem::path path_;
  std::unique_ptr<gzFile_s, int (*)(gzFile)> file_;
};

}  // namespace

LabelledImages load_fashion_mnist(const std::filesystem::path& folder, const std::string& split) {
  const auto find = [&](const std::string& name) {
    for (const std::string& file : {name + ".gz", name})
      if (std::filesystem::exists(folder / file)) return IdxFile(folder / file);
    throw io::file_error(folder / name, "no such file (Debian: apt-get install dataset-fashion-mnist)");
  };
  IdxFile image_file = find(split + "-images-idx3-ubyte"), label_file = find(split + "-labels-idx1-ubyte");
  const torch::Tensor pixels = image_file.read(3), labels = label_file.read(1);
  if (pixels.size(1) != side || pixels.size(2) != side)
    image_file.fail("images of " + std::to_string(pixels.size(1)) + "x" + std::to_string(pixels.size(2)) +
                    " pixels; allowed: 28x28");
  if (labels.size(0) != pixels.size(0))
    label_file.fail(std::to_string(labels.size(0)) + " labels for " + std::to_string(pixels.size(0)) + " images");
  if (const auto largest = labels.max().item<std::int64_t>(); largest >= classes)
    label_file.fail("a label is " + std::to_string(largest) + "; allowed: 0 to " + std::to_string(classes - 1));
  const torch::Tensor scaled = pixels.unsqueeze(1).to(torch::kFloat32) / 127.5 - 1;
  return {torch::constant_pad_nd(scaled, {margin, margin, margin, margin}, -1), labels.to(torch::kInt64)};
}

}  // namespace fewstep::examples
