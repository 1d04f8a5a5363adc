// IDX files, the format of MNIST and its successors.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace fewstep::examples {

/// An array of bytes.
struct IdxArray {
  std::vector<std::int64_t> shape;
  std::vector<unsigned char> bytes;  // row-major
};

/// Reads an IDX file of bytes, plain or gzipped.
/// @param dims  the number of extents that it must have, each 1 or more
/// @throws std::runtime_error "PATH: WHAT" for a file that is missing, incomplete or of another kind.
IdxArray read_idx(const std::filesystem::path& path, int dims);

}  // namespace fewstep::examples
