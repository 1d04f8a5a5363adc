// The arithmetic of combine() on contiguous numbers. Blocks of fixed length, summed outside memory, become SIMD code
// with any optimisation level of g++ and clang from -O2 on.
#pragma once

#include <cstddef>
#include <utility>

namespace fewstep::detail {

template <class T>
inline constexpr std::size_t block_numbers = 64 / sizeof(T);

/// sum[j] <- w[k] v[k][i + j] + (w[k + 1] v[k + 1][i + j] + (...)) for the numbers of a block.
template <class T, std::size_t terms, std::size_t... K>
inline void sum_block(T (&sum)[block_numbers<T>], std::size_t i, const T* const (&v)[terms], const T (&w)[terms],
                      std::index_sequence<K...>) {
  [[maybe_unused]] const auto add = [&](std::size_t k) {
    for (std::size_t j = 0; j < block_numbers<T>; ++j) sum[j] = w[k] * v[k][i + j] + sum[j];
  };
  for (std::size_t j = 0; j < block_numbers<T>; ++j) sum[j] = w[terms - 1] * v[terms - 1][i + j];
  (add(terms - 2 - K), ...);
}

/// out[i] <- w[0] v[0][i] + (w[1] v[1][i] + (...)) for `size` numbers. The last terms are added first. out may be one of
/// the terms.
/// @param slope, inverse  where slope is not null it is v[1], and slope[i] <- inverse (v[0][i] - slope[i]) comes first
template <class T, std::size_t terms>
[[gnu::noinline]] void sum_terms(T* out, std::size_t size, const T* const (&term)[terms], const T (&weight)[terms],
                                 T* slope, T inverse) {
  const T* v[terms];
  T w[terms];
  for (std::size_t k = 0; k < terms; ++k) v[k] = term[k], w[k] = weight[k];  // no store changes local copies
  std::size_t i = 0;
  for (; i + block_numbers<T> <= size; i += block_numbers<T>) {
    T sum[block_numbers<T>];
    if (slope) {
      T d[block_numbers<T>];
      for (std::size_t j = 0; j < block_numbers<T>; ++j) d[j] = inverse * (v[0][i + j] - slope[i + j]);
      for (std::size_t j = 0; j < block_numbers<T>; ++j) slope[i + j] = d[j];
    }
    sum_block<T>(sum, i, v, w, std::make_index_sequence<terms - 1>());
    for (std::size_t j = 0; j < block_numbers<T>; ++j) out[i + j] = sum[j];
  }
  for (; i < size; ++i) {
    if (slope) slope[i] = inverse * (v[0][i] - slope[i]);
    T sum = w[terms - 1] * v[terms - 1][i];
    for (std::size_t k = terms - 1; k-- > 0;) sum = w[k] * v[k][i] + sum;
    out[i] = sum;
  }
}

}  // namespace fewstep::detail
