// Noise processes: how a network's training data were noised, in terms of the library's noise level sigma.
#pragma once

#include "../level.hpp"

#include <cmath>
#include <concepts>

namespace fewstep {

/// A noise process x_t = alpha (x0 + sigma noise), given by two functions of the noise level sigma.
///
///   label(sigma)   the network's second argument, for instance a training step; may accept doubles only
///   alpha(sigma)   factor from x0 + sigma noise to the network's input; accepts doubles and tensors; `unit` for 1
///
/// The processes of this library also have sigma(t), the level at training time t, and its inverse time(sigma); each
/// is exact to rounding.
template <class P>
concept NoiseProcess = requires(const P process, double sigma) {
  { process.label(sigma) } -> std::convertible_to<double>;
  process.alpha(sigma);
};

/// A process with alpha^2 (1 + sigma^2) = 1, declared by `static constexpr bool variance_preserving = true`.
template <class P>
concept VariancePreserving = NoiseProcess<P> && P::variance_preserving;

namespace detail {

template <class T>
auto variance_preserving_alpha(const T& sigma) {
  using std::sqrt;
  return 1. / sqrt(1. + sigma * sigma);
}

/// Validates the process, where it has validate(), and returns it.
template <class P>
P checked_process(P process) {
  if constexpr (requires { process.validate(); }) process.validate();
  return process;
}

}  // namespace detail

}  // namespace fewstep
