// How networks were noised in training, x_t = alpha (x0 + sigma noise), in terms of sigma: the library's noise level.
#pragma once

#include "../level.hpp"

#include <cmath>
#include <concepts>

namespace fewstep {

/// A process has label(sigma), what the network is told, and alpha(sigma), the factor from x0 + sigma noise to its
/// input
/// (`unit`: none). Those here also have sigma(t) and its inverse time(sigma), exact to rounding. label may take doubles
/// only; alpha runs on doubles and tensors.
template <class P>
concept NoiseProcess = requires(const P process, double sigma) {
  { process.label(sigma) } -> std::convertible_to<double>;
  process.alpha(sigma);
};

/// A process with alpha^2 (1 + sigma^2) = 1, which says so by `static constexpr bool variance_preserving = true`.
template <class P>
concept VariancePreserving = NoiseProcess<P> && P::variance_preserving;

namespace detail {

template <class T>
auto variance_preserving_alpha(const T& sigma) {
  using std::sqrt;
  return 1. / sqrt(1. + sigma * sigma);
}

template <class P>
P checked_process(P process) {
  if constexpr (requires { process.validate(); }) process.validate();
  return process;
}

}  // namespace detail

}  // namespace fewstep
