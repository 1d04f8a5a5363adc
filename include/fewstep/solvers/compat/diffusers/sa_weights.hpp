// The weights of SaSolver.
#pragma once

#include "../../../solver.hpp"
#include "../../detail/deis_weights.hpp"
#include "../../detail/phi.hpp"

#include <array>
#include <cmath>
#include <cstddef>
#include <tuple>

namespace fewstep::compat {

/// The weights of outputs at the levels `nodes`, the first of them the current level, for a step to s.
template <class T, std::size_t K>
std::array<T, K> sa_output_weights(Target target, const T& s, const std::array<T, K>& nodes) {
  if constexpr (K == 1) return fewstep::detail::deis_weights_1(target, s, nodes[0]);
  else return fewstep::detail::deis_weights_in_log_sigma(target, s, nodes);
}

/// h - 1 + e^-h = h^2 phi_2(-h)
template <class T>
T sa_second(const T& h) {
  return h * h * fewstep::detail::phi<2>(T(-1. * h));
}

/// The weights of the state and of the outputs at `nodes`.
/// @param extra  a function of h: what the first of two outputs gains on denoised images, and the other loses
template <class T, std::size_t K, class Extra>
auto sa_weights(Target target, const T& s, const std::array<T, K>& nodes, Extra extra) {
  using std::log;
  std::array<T, K> w = sa_output_weights(target, s, nodes);
  if constexpr (K == 2)
    if (target == Target::denoised) {
      const T gain = extra(T(log(nodes[0] / s)));
      w[0] = w[0] + gain;
      w[1] = w[1] - gain;
    }
  return std::tuple_cat(std::tuple{carry(target, nodes[0], s)}, w);
}

/// Outputs: at the current level and those before.
template <class T, std::size_t K>
auto sa_predictor_weights(Target target, const T& s, const std::array<T, K>& nodes) {
  return sa_weights(target, s, nodes, [&](const T& h) -> T {
    using std::log;
    return (0.5 * h * h - sa_second(h)) / log(nodes[1] / nodes[0]);
  });
}

/// Outputs: at the level before, at s and at those before.
template <class T, std::size_t K>
auto sa_corrector_weights(Target target, const T& s, const std::array<T, K>& nodes) {
  return sa_weights(target, s, nodes, [](const T& h) -> T { return sa_second(h) / h - 0.5 * h; });
}

}  // namespace fewstep::compat
