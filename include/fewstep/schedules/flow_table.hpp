#pragma once

#include "../errors.hpp"
#include "flow.hpp"

#include <cmath>
#include <cstddef>

namespace fewstep {

/// The times of a flow at its training steps, from which ComfyUI's schedules choose: shifted(i/count, shift), i from 1
/// to count. What NoiseTable is to networks with a table of betas; schedules are for from_flow_native.
struct FlowTable {
  double shift = 1;          ///< 0.1 to 1000; 3 for Stable Diffusion 3, exp(1.15) = 3.16 for Flux at 4096 tokens
  std::size_t count = 1000;  ///< 2 or more; 10000 for Flux in ComfyUI

  void validate() const {
    constexpr double least = 0.1, most = 1000;
    require(shift >= least && shift <= most, "FlowTable::shift", shift, "0.1 to 1000");
    require(count >= 2, "FlowTable::count", count, "2 or more");
  }
  std::size_t size() const { return count; }
  double sigma_min() const { return shifted(1 / static_cast<double>(count), shift); }
  double sigma_max() const { return 1; }
};

/// Returns the flow time at a training step.
/// @param step  0 to table.size() - 1, whole or not
inline double level_at(const FlowTable& table, double step) {
  return shifted((step + 1) / static_cast<double>(table.count), table.shift);
}

}  // namespace fewstep
