#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <vector>

namespace fewstep::detail {

/// Rows of equal length in memory, one per sample. The last one also stands for samples beyond it.
struct Rows {
  const std::byte* data;
  std::size_t row_bytes, rows;

  /// Returns the rows of some samples, one after the other.
  /// @param memory  holds them where they do not lie so
  const std::byte* part(std::size_t first, std::size_t count, std::vector<std::byte>& memory) const {
    if (first + count <= rows) return data + first * row_bytes;
    memory.resize(count * row_bytes);
    for (std::size_t i = 0; i < count; ++i)
      std::memcpy(memory.data() + i * row_bytes, data + (std::min)(first + i, rows - 1) * row_bytes, row_bytes);
    return memory.data();
  }
};

}  // namespace fewstep::detail
