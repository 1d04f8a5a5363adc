// Polynomial interpolation, for doubles and for tensors.
#pragma once

#include <array>
#include <cstddef>

namespace fewstep::detail {

/// The Lagrange polynomials through `nodes`, evaluated at `at` and multiplied by `factor`.
/// @return K numbers; number k belongs to the polynomial that is 1 at node k and 0 at the other nodes
template <class T, std::size_t K>
std::array<T, K> lagrange(const std::array<T, K>& nodes, const T& at, const T& factor) {
  std::array<T, K> value;
  for (std::size_t k = 0; k < K; ++k) {
    value[k] = factor;
    for (std::size_t i = 0; i < K; ++i)
      if (i != k) value[k] = value[k] * (at - nodes[i]) / (nodes[k] - nodes[i]);
  }
  return value;
}

/// Solves sum_k y_k r_k^i = b_i, i = 0 .. K - 1, in place: b <- y.
/// Source: Bjorck & Pereyra 1970.
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
