// The weights of UniPc, for doubles and for tensors.
#pragma once

#include "../../solver.hpp"
#include "phi.hpp"
#include "vandermonde.hpp"

#include <array>
#include <cmath>
#include <cstddef>

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

/// What the weights of a step from t to s have in common: h = log(t/s), z, c and r_k = log(t/t_k)/h.
template <class T>
struct UniPcStep {
  T h, z, c;
  UniPcStep(Target target, const T& t, const T& s)
      : h(log_ratio(t, s)),
        z(target == Target::denoised ? T(-1. * h) : h),
        c(target == Target::denoised ? T(0. * h - 1.) : T(-1. * s)) {}

  template <std::size_t K>
  std::array<T, K> r(const T& t, const std::array<T, K>& other) const {
    std::array<T, K> r;
    for (std::size_t k = 0; k < K; ++k) r[k] = log_ratio(t, other[k]) / h;
    return r;
  }

  /// The weights of m0 and of the outputs at r.
  /// @param phi  phi_1(z), ..., phi_{K+1}(z), or more
  template <std::size_t K, std::size_t P>
  std::array<T, K + 1> weights(UniPcB b_of, const std::array<T, P>& phi, const std::array<T, K>& r) const {
    std::array<T, K + 1> w;
    w[0] = c * z * phi[0];
    std::array<T, K> b;
    if constexpr (K == 1) {
      b[0] = 0.5 * b_of(z);
    } else if constexpr (K > 1) {
      double factorial = 1;
      for (std::size_t i = 0; i < K; ++i) {
        factorial *= static_cast<double>(i + 1);
        b[i] = factorial * z * phi[i + 1];
      }
      solve_vandermonde(r, b);
    }
    for (std::size_t k = 0; k < K; ++k) {
      w[k + 1] = c * b[k] / r[k];
      w[0] = w[0] - w[k + 1];
    }
    return w;
  }

 private:
  static T log_ratio(const T& t, const T& s) {
    using std::log;
    return log(t / s);
  }
};

/// The predictor's weights, first of m0, then of the outputs at the levels `other`, for a step from t to s.
template <class T, std::size_t K>
std::array<T, K + 1> unipc_weights(UniPcB b_of, Target target, const T& t, const T& s, const std::array<T, K>& other) {
  const UniPcStep<T> step(target, t, s);
  return step.weights(b_of, phis<K + 1>(step.z), step.r(t, other));
}

/// The corrector's weights minus the predictor's: of the output at s, of m0 and of the outputs at `other`.
template <class T, std::size_t K>
std::array<T, K + 2> unipc_correction(UniPcB b_of, Target target, const T& t, const T& s,
                                      const std::array<T, K>& other) {
  const UniPcStep<T> step(target, t, s);
  const auto phi = phis<K + 2>(step.z);
  const std::array<T, K> r = step.r(t, other);
  std::array<T, K + 1> r_with_end;
  r_with_end[0] = step.h / step.h;
  for (std::size_t k = 0; k < K; ++k) r_with_end[k + 1] = r[k];
  const std::array<T, K + 2> corrector = step.weights(b_of, phi, r_with_end);
  const std::array<T, K + 1> predictor = step.weights(b_of, phi, r);
  std::array<T, K + 2> w;
  w[0] = corrector[1];
  w[1] = corrector[0] - predictor[0];
  for (std::size_t k = 0; k < K; ++k) w[k + 2] = corrector[k + 2] - predictor[k + 1];
  return w;
}

}  // namespace fewstep::detail
