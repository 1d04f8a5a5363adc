// The k-th smallest of several numbers.
#pragma once

#include <cstddef>
#include <utility>

namespace fewstep::detail {

/// Reorders v[0], ..., v[size - 1] so that v[k] is where sorting would put it, with nothing larger before it and
/// nothing smaller after it. Linear on average; std::nth_element takes many times as long to compile. Source: Hoare
/// 1961, "Algorithm 65: find".
/// @return v[k]
template <class T>
T order_statistic(T* v, std::ptrdiff_t size, std::ptrdiff_t k) {
  T *left = v, *right = v + size - 1, *const place = v + k;
  while (left < right) {
    const T pivot = *place;
    T *low = left, *high = right;
    while (low <= high) {
      while (*low < pivot) ++low;
      while (pivot < *high) --high;
      if (low <= high) std::swap(*low++, *high--);
    }
    if (high < place) left = low;
    if (place < low) right = high;
  }
  return *place;
}

}  // namespace fewstep::detail
