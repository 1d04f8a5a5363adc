#include "npy.hpp"

#include <fewstep/io/atomic_write.hpp>

#include <bit>
#include <cstddef>
#include <ostream>
#include <stdexcept>
#include <string>

namespace fewstep::examples {

void write_npy(const std::filesystem::path& path, std::span<const float> data, const std::vector<std::int64_t>& shape) {
  static_assert(std::endian::native == std::endian::little, "'<f4' below means little-endian numbers");
  std::size_t count = 1;
  std::string dimensions;
  for (const auto extent : shape) {
    count *= static_cast<std::size_t>(extent);
    dimensions += std::to_string(extent) + ",";  // the trailing comma makes one dimension a Python tuple too
  }
  if (count != data.size())
    throw std::invalid_argument("npy data has " + std::to_string(data.size()) + " numbers; its shape (" + dimensions +
                                ") holds " + std::to_string(count));

  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + dimensions + "), }";
  constexpr std::size_t preamble = 10;   // magic, version, length of the header
  constexpr std::size_t alignment = 64;  // the data start at a multiple of this
  header.append(alignment - 1 - (preamble + header.size()) % alignment, ' ');
  header += '\n';

  io::atomic_write(path, [&](std::ostream& out) {
    const auto size = header.size();
    out << "\x93NUMPY" << '\x01' << '\0' << static_cast<char>(size & 0xff) << static_cast<char>(size >> 8) << header;
    out.write(reinterpret_cast<const char*>(data.data()), static_cast<std::streamsize>(data.size_bytes()));
  });
}

}  // namespace fewstep::examples
