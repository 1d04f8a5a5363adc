// The weights of UniPc, for doubles and for tensors.
#pragma once

#include "../../solver.hpp"
#include "phi.hpp"
#include "vandermonde.hpp"

#include <array>
#include <cmath>
#include <cstddef>
#include <type_traits>
#include <utility>

namespace fewstep::detail {

/// The function B of UniPC's two variants: z, or e^z - 1.
struct UniPcB {
  bool exponential;
  template <class T>
  T operator()(const T& z) const {
    using std::expm1;
    if (exponential) return expm1(z);
    return z;
  }
};

/// b_i = i! z phi_{i+1}(z), i = 1 .. K
template <class T, std::size_t K>
void unipc_moments(const T& z, std::array<T, K>& b) {
  double factorial = 1;
  const auto set = [&]<std::size_t I>(std::integral_constant<std::size_t, I>) {
    factorial *= static_cast<double>(I + 1);
    b[I] = factorial * z * phi<static_cast<int>(I) + 2>(z);
  };
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    (set(std::integral_constant<std::size_t, I>{}), ...);
  }(std::make_index_sequence<K>{});
}

/// The predictor's weights, first of m0, then of the outputs at the levels `other`, for a step from t to s.
template <class T, std::size_t K>
std::array<T, K + 1> unipc_weights(UniPcB b_of, Target target, const T& t, const T& s, const std::array<T, K>& other) {
  using std::log;
  const bool denoised = target == Target::denoised;
  const T h = log(t / s), z = denoised ? T(-1. * h) : h, c = denoised ? T(0. * h - 1.) : T(-1. * s);
  std::array<T, K + 1> w;
  w[0] = c * z * phi<1>(z);
  if constexpr (K > 0) {
    std::array<T, K> r, b;
    for (std::size_t k = 0; k < K; ++k) r[k] = log(t / other[k]) / h;
    if constexpr (K == 1) {
      b[0] = 0.5 * b_of(z);
    } else {
      unipc_moments(z, b);
      solve_vandermonde(r, b);
    }
    for (std::size_t k = 0; k < K; ++k) {
      w[k + 1] = c * b[k] / r[k];
      w[0] = w[0] - w[k + 1];
    }
  }
  return w;
}

/// The corrector's weights minus the predictor's: of the output at s, of m0 and of the outputs at `other`.
template <class T, std::size_t K>
std::array<T, K + 2> unipc_correction(UniPcB b_of, Target target, const T& t, const T& s,
                                      const std::array<T, K>& other) {
  std::array<T, K + 1> with_end;
  with_end[0] = s;
  for (std::size_t k = 0; k < K; ++k) with_end[k + 1] = other[k];
  const auto corrector = unipc_weights(b_of, target, t, s, with_end);
  const auto predictor = unipc_weights(b_of, target, t, s, other);
  std::array<T, K + 2> w;
  w[0] = corrector[1];
  w[1] = corrector[0] - predictor[0];
  for (std::size_t k = 0; k < K; ++k) w[k + 2] = corrector[k + 2] - predictor[k + 1];
  return w;
}

}  // namespace fewstep::detail
