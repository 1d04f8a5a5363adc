#pragma once

#include "../dpmpp.hpp"
#include "phi.hpp"
#include "vandermonde.hpp"

#include <array>
#include <cmath>
#include <cstddef>
#include <string_view>
#include <utility>

namespace fewstep {

/// UniPC's B: z itself or e^z - 1. They differ only where an order has a single difference, whose weight is then 1/2.
enum class UniB { bh1, bh2 };
constexpr std::array<std::string_view, 2> names_of(UniB) { return {"bh1", "bh2"}; }

namespace detail {

/// b_i = i! z phi_{i+1}(z)
template <class T, std::size_t K>
void unipc_moments(const T& z, std::array<T, K>& b) {
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    double factorial = 1;
    ((factorial *= static_cast<double>(I + 1), b[I] = factorial * z * phi<static_cast<int>(I) + 2>(z)), ...);
  }(std::make_index_sequence<K>{});
}

/// The weights of UniPc: of m0 and of the outputs at `other`, for a step from t to s.
template <class T, std::size_t K>
std::array<T, K + 1> unipc_weights(UniB variant, Target target, const T& t, const T& s, const std::array<T, K>& other) {
  using std::expm1, std::log;
  const bool data = target == Target::denoised;
  const T h = log(t / s), z = data ? T(-1. * h) : h, c = data ? T(0. * h - 1.) : T(-1. * s);
  std::array<T, K + 1> w;
  w[0] = c * z * phi<1>(z);
  if constexpr (K > 0) {
    std::array<T, K> r, b;
    for (std::size_t k = 0; k < K; ++k) r[k] = log(t / other[k]) / h;
    if constexpr (K == 1) b[0] = 0.5 * (variant == UniB::bh1 ? z : T(expm1(z)));
    else unipc_moments(z, b), solve_vandermonde(r, b);
    for (std::size_t k = 0; k < K; ++k) {
      w[k + 1] = c * b[k] / r[k];
      w[0] = w[0] - w[k + 1];
    }
  }
  return w;
}

}  // namespace detail
}  // namespace fewstep
