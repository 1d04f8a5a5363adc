// Exponential-integrator functions, for doubles and for tensors.
#pragma once

#include <cmath>
#include <type_traits>

namespace fewstep::detail {

/// phi_k(z) = sum_j z^j / (j + k)!: phi_1 = (e^z - 1)/z, phi_2 = (phi_1 - 1)/z, phi_3 = (phi_2 - 1/2)/z. The recurrence
/// cancels for small z, where the series is summed instead.
template <int K, class T>
auto phi(const T& z) {
  using std::abs, std::expm1;
  const auto direct = [](const auto& y) {
    auto value = expm1(y) / y;
    for (double k = 1, inverse_factorial = 1; k < K; ++k, inverse_factorial /= k)
      value = (value - inverse_factorial) / y;
    return value;
  };
  const auto series = [](const auto& y) {
    auto sum = y * 0. + 1.;  // nested from the smallest term, for |y| <= 1
    for (int j = 20; j > 0; --j) sum = sum * y / static_cast<double>(j + K) + 1.;
    double factorial = 1;
    for (int k = 2; k <= K; ++k) factorial *= k;
    return sum / factorial;
  };
  if constexpr (std::is_arithmetic_v<T>) return abs(z) < 1 ? series(z) : direct(z);
  else return where(abs(z) < 1, series(z), direct(z));  // where: the tensor library's, by its own namespace
}

}  // namespace fewstep::detail
