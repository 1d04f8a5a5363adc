// The arithmetic of combine() on contiguous numbers, in blocks of SIMD vectors with g++ and clang, in plain numbers
// with other compilers.
#pragma once

#include <cstddef>
#include <cstring>
#include <utility>

namespace fewstep::detail {

#if defined(__AVX512F__)
inline constexpr std::size_t packet_bytes = 64;
#elif defined(__AVX__)
inline constexpr std::size_t packet_bytes = 32;
#else
inline constexpr std::size_t packet_bytes = 16;
#endif

#if defined(__GNUC__)
/// Numbers that one instruction handles.
template <class T>
struct PacketOf {
  typedef T type __attribute__((vector_size(packet_bytes)));
};
#else
template <class T>
struct PacketOf {
  using type = T;
};
#endif

/// Neighbouring numbers in one register.
template <class T>
struct Block {
  using Packet = typename PacketOf<T>::type;
  static constexpr std::size_t size = sizeof(Packet) / sizeof(T);
  Packet v;

  explicit Block(const T* from) { std::memcpy(&v, from, sizeof v); }
  void store(T* to) const { std::memcpy(to, &v, sizeof v); }
  void scale(T w) { v = w * v; }
  /// this <- w x + this
  void add(T w, const Block& x) { v = w * x.v + v; }
  /// this <- inverse (x - this)
  void slope(T inverse, const Block& x) { v = inverse * (x.v - v); }
};

/// w[begin] v[begin][i + j] + (w[begin + 1] v[begin + 1][i + j] + (...)) for the numbers j of a block.
template <std::size_t begin, class T, std::size_t terms, std::size_t... K>
inline Block<T> sum_of_block(std::size_t i, const T* const (&v)[terms], const T (&w)[terms],
                             std::index_sequence<K...>) {
  Block<T> sum(v[terms - 1] + i);
  sum.scale(w[terms - 1]);
  (sum.add(w[terms - 2 - K], Block<T>(v[terms - 2 - K] + i)), ...);
  return sum;
}
template <std::size_t begin, class T, std::size_t terms>
inline Block<T> sum_of_block(std::size_t i, const T* const (&v)[terms], const T (&w)[terms]) {
  return sum_of_block<begin>(i, v, w, std::make_index_sequence<terms - 1 - begin>());
}

/// The same sums for the numbers begin to size - 1, which fill no block. Compiled once per type.
/// @param slope  v[1], if slope[i] <- inverse (v[0][i] - slope[i]) is to be computed before; else null
template <class T>
[[gnu::noinline]] void sum_one_by_one(T* out, std::size_t begin, std::size_t size, const T* const* v, const T* w,
                                      std::size_t terms, T* slope, T inverse) {
  for (std::size_t i = begin; i < size; ++i) {
    if (slope) slope[i] = inverse * (v[0][i] - slope[i]);
    T sum = w[terms - 1] * v[terms - 1][i];
    for (std::size_t k = terms - 1; k-- > 0;) sum = w[k] * v[k][i] + sum;
    out[i] = sum;
  }
}

/// out[i] <- w[0] v[0][i] + (w[1] v[1][i] + (...)) for `size` numbers. The last terms are added first. out may be one
/// of the terms.
template <class T, std::size_t terms>
[[gnu::noinline]] void weighted_sum(T* out, std::size_t size, const T* const (&term)[terms], const T (&weight)[terms]) {
  const T* v[terms];
  T w[terms];
  for (std::size_t k = 0; k < terms; ++k) v[k] = term[k], w[k] = weight[k];  // no store changes local copies
  const std::size_t whole = size - size % Block<T>::size;
#pragma GCC unroll 4
  for (std::size_t i = 0; i < whole; i += Block<T>::size) sum_of_block<0>(i, v, w).store(out + i);
  sum_one_by_one<T>(out, whole, size, v, w, terms, nullptr, 0);
}

/// weighted_sum() with out = v[0] = x and v[1] = d, after d[i] <- inverse (x[i] - d[i]), in one pass over memory.
template <class T, std::size_t terms>
[[gnu::noinline]] void slope_and_sum(T* x, T* d, T inverse, std::size_t size, const T* const (&term)[terms],
                                     const T (&weight)[terms]) {
  const T* v[terms];
  T w[terms];
  for (std::size_t k = 0; k < terms; ++k) v[k] = term[k], w[k] = weight[k];
  const std::size_t whole = size - size % Block<T>::size;
#pragma GCC unroll 2
  for (std::size_t i = 0; i < whole; i += Block<T>::size) {
    Block<T> old(x + i), slope(d + i);
    slope.slope(inverse, old);
    slope.store(d + i);
    if constexpr (terms > 2) {
      Block<T> sum = sum_of_block<2>(i, v, w);
      sum.add(w[1], slope);
      sum.add(w[0], old);
      sum.store(x + i);
    } else {
      slope.scale(w[1]);
      slope.add(w[0], old);
      slope.store(x + i);
    }
  }
  sum_one_by_one<T>(x, whole, size, v, w, terms, d, inverse);
}

}  // namespace fewstep::detail
