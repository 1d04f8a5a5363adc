// Polynomials through given points, for doubles and for tensors.
#pragma once

#include <array>
#include <cstddef>

namespace fewstep::detail {

/// Lagrange's polynomials through `place`, at `at`, times a weight.
template <class T, std::size_t K>
std::array<T, K> lagrange(const std::array<T, K>& place, const T& at, const T& weight) {
  std::array<T, K> value;
  for (std::size_t k = 0; k < K; ++k) {
    value[k] = weight;
    for (std::size_t i = 0; i < K; ++i)
      if (i != k) value[k] = value[k] * (at - place[i]) / (place[k] - place[i]);
  }
  return value;
}

/// b <- y with sum_k y_k r_k^i = b_i, i = 0 .. K - 1 (Bjorck & Pereyra 1970).
template <class T, std::size_t K>
void solve_vandermonde(const std::array<T, K>& r, std::array<T, K>& b) {
  for (std::size_t k = 0; k + 1 < K; ++k)
    for (std::size_t i = K - 1; i > k; --i) b[i] = b[i] - r[k] * b[i - 1];
  for (std::size_t k = K - 1; k-- > 0;) {
    for (std::size_t i = k + 1; i < K; ++i) b[i] = b[i] / (r[i] - r[i - k - 1]);
    for (std::size_t i = k; i + 1 < K; ++i) b[i] = b[i] - b[i + 1];
  }
}

}  // namespace fewstep::detail
