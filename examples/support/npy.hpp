#pragma once

#include <fewstep/io/atomic_write.hpp>

#include <cstdint>
#include <filesystem>
#include <ostream>
#include <string>
#include <vector>

namespace fewstep::examples {

/// Writes float32 values in NumPy's format, version 1.0, little endian, row-major.
/// @throws std::runtime_error naming the file when it cannot be written.
inline void write_npy(const std::filesystem::path& path, const std::vector<std::int64_t>& shape, const float* data) {
  std::string extents;
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) {
    extents += std::to_string(extent) + ",";
    count *= extent;
  }
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + extents + "), }";
  header.append(63 - (10 + header.size()) % 64, ' ');  // the data start at a multiple of 64 bytes
  header += '\n';
  io::atomic_write(path, [&](std::ostream& out) {
    out.write("\x93NUMPY\x01\x00", 8);
    out.put(static_cast<char>(header.size() & 0xff)).put(static_cast<char>(header.size() >> 8));
    out << header;
    out.write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(count * 4));
  });
}

}  // namespace fewstep::examples
