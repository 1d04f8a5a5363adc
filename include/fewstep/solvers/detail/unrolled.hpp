#pragma once

#include <cstddef>
#include <utility>

namespace fewstep::detail {

/// Calls f(std::index_sequence<0, 1, ..., count - 1>), where `count` is known at run time only.
/// @param count  0 to max
template <std::size_t max, class F>
void unrolled(std::size_t count, F f) {
  if constexpr (max > 0)
    if (count < max) return unrolled<max - 1>(count, f);
  f(std::make_index_sequence<max>{});
}

}  // namespace fewstep::detail
