#pragma once

#include <cstddef>
#include <utility>

namespace fewstep::detail {

/// f with the indices 0, 1, ..., count - 1 as a std::index_sequence; `count`, at most `most`, is known at run time
/// only.
template <std::size_t most, class F>
void unrolled(std::size_t count, F f) {
  if constexpr (most > 0)
    if (count < most) return unrolled<most - 1>(count, f);
  f(std::make_index_sequence<most>{});
}

}  // namespace fewstep::detail
