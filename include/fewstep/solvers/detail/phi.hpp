// The phi functions of exponential integrators, for doubles and for tensors.
#pragma once

#include <cmath>
#include <type_traits>

namespace fewstep::detail {

/// phi_K(z) = sum_j z^j/(j + K)!, exact to rounding.
///
///   phi_1 = (e^z - 1)/z,   phi_2 = (phi_1 - 1)/z,   phi_3 = (phi_2 - 1/2)/z
///
/// This recurrence cancels for small z, where the series is summed instead.
template <int K, class T>
auto phi(const T& z) {
  using std::abs, std::expm1;
  const auto recurrence = [](const auto& y) {
    auto value = expm1(y) / y;
    for (double k = 1, inverse_factorial = 1; k < K; ++k, inverse_factorial /= k)
      value = (value - inverse_factorial) / y;
    return value;
  };
  const auto series = [](const auto& y) {
    constexpr int terms = 20;  // for |y| <= 1
    auto sum = y * 0. + 1.;
    for (int j = terms; j > 0; --j) sum = sum * y / static_cast<double>(j + K) + 1.;
    double factorial = 1;
    for (int k = 2; k <= K; ++k) factorial *= k;
    return sum / factorial;
  };
  if constexpr (std::is_arithmetic_v<T>) return abs(z) < 1 ? series(z) : recurrence(z);
  else
    return where(abs(z) < 1, series(z), recurrence(z));  // the tensor library's where(), by argument-dependent lookup
}

}  // namespace fewstep::detail
