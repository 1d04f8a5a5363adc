#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace fewstep {

/// Returns the seeds first, first + 1, ..., first + count - 1, one per sample.
inline std::vector<std::uint64_t> seed_range(std::uint64_t first, std::size_t count) {
  std::vector<std::uint64_t> seeds(count);
  for (std::uint64_t& seed : seeds) seed = first++;
  return seeds;
}

}  // namespace fewstep
