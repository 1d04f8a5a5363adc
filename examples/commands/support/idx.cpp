#include "idx.hpp"

#include <fewstep/io/file_error.hpp>

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>

namespace fewstep::examples {

namespace {

constexpr std::int64_t unsigned_bytes = 0x0800;     // a file's type of elements
constexpr std::int64_t most_bytes = 1'000'000'000;  // of one file, unpacked

/// A file that is open for reading; zlib reads plain and gzipped files alike.
class IdxFile {
 public:
  explicit IdxFile(const std::filesystem::path& path) : path_(path), file_(nullptr, gzclose) {
    io::require_regular_file(path);
    file_.reset(gzopen(path.c_str(), "rb"));
  }

  IdxArray read(int dims) {
    IdxArray array;
    if (number() != (unsigned_bytes | dims)) fail("not an IDX file of bytes with " + std::to_string(dims) + " extents");
    std::int64_t total = 1;
    for (int i = 0; i < dims; ++i) {
      array.shape.push_back(number());
      if (array.shape.back() < 1 || array.shape.back() > most_bytes / total)
        fail("an extent is " + std::to_string(array.shape.back()) + "; allowed: 1 or more, at most " +
             std::to_string(most_bytes) + " bytes in all");
      total *= array.shape.back();
    }
    constexpr std::int64_t piece = 1 << 20;  // so that a short file with large extents takes little memory
    while (std::ssize(array.bytes) < total) {
      const std::size_t old = array.bytes.size();
      array.bytes.resize(old + static_cast<std::size_t>((std::min)(piece, total - std::ssize(array.bytes))));
      bytes(array.bytes.data() + old, array.bytes.size() - old);
    }
    return array;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const { throw io::file_error(path_, what); }
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

IdxArray read_idx(const std::filesystem::path& path, int dims) { return IdxFile(path).read(dims); }

}  // namespace fewstep::examples
