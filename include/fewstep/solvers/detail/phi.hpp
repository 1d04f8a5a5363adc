// The phi functions of exponential integrators, for doubles and for tensors.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <type_traits>

namespace fewstep::detail {

/// phi_1(z), ..., phi_K(z), where phi_k(z) = sum_j z^j/(j + k)!, exact to rounding.
///
///   phi_1 = (e^z - 1)/z,   phi_2 = (phi_1 - 1)/z,   phi_3 = (phi_2 - 1/2)/z
///
/// This recurrence cancels for small z, where the series of phi_K is summed and the recurrence is taken backwards.
template <int K, class T>
std::array<T, static_cast<std::size_t>(K)> phis(const T& z) {
  using std::abs, std::expm1;
  constexpr auto inverse_factorial = [](int n) {
    double value = 1;
    for (int k = 2; k <= n; ++k) value /= k;
    return value;
  };
  std::array<T, static_cast<std::size_t>(K)> phi;
  const auto forwards = [&] {
    phi[0] = expm1(z) / z;
    for (int k = 1; k < K; ++k) phi[std::size_t(k)] = (phi[std::size_t(k - 1)] - inverse_factorial(k)) / z;
  };
  const auto backwards = [&] {
    constexpr int terms = 18;  // for |z| <= 1
    T sum = z * 0. + 1.;
    for (int j = terms; j > 0; --j) sum = sum * (z / static_cast<double>(j + K)) + 1.;
    phi[K - 1] = sum * inverse_factorial(K);
    for (int k = K - 1; k > 0; --k) phi[std::size_t(k - 1)] = z * phi[std::size_t(k)] + inverse_factorial(k);
  };
  if constexpr (std::is_arithmetic_v<T>) {
    if (abs(z) < 1) backwards();
    else forwards();
  } else {
    forwards();
    const auto far = phi;
    backwards();
    for (std::size_t k = 0; k < phi.size(); ++k)  // the tensor library's where(), by argument-dependent lookup
      phi[k] = where(abs(z) < 1, phi[k], far[k]);
  }
  return phi;
}

/// phi_K(z)
template <int K, class T>
T phi(const T& z) {
  return phis<K>(z)[K - 1];
}

}  // namespace fewstep::detail
