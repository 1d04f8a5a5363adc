// The weights of Deis, for doubles and for tensors.
#pragma once

#include "../../processes/vp_linear.hpp"
#include "../../solver.hpp"
#include "quadrature.hpp"
#include "vandermonde.hpp"

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <type_traits>

namespace fewstep::detail {

/// The weight of a single output: that of a first-order step, in every variable.
template <class T>
std::array<T, 1> deis_weights_1(Target target, const T& s, const T& t) {
  return {target == Target::denoised ? 1. - s / t : s - t};
}

/// The weights of slopes with polynomials in sigma: w_k is the integral of L_k(sigma) from t to s.
/// @param s      next level
/// @param nodes  levels of the outputs, newest first; nodes[0] is the current level t
template <class T, std::size_t K>
std::array<T, K> deis_weights_in_sigma(const T& s, const std::array<T, K>& nodes) {
  const T& t = nodes[0];
  std::array<T, K> places;
  for (std::size_t k = 0; k < K; ++k) places[k] = nodes[k] - t;
  return integrate<K>(T(s - t), 1, [&](const T& at, const T& factor) { return lagrange(places, at, factor); });
}

/// Number of pieces of the quadrature over log(sigma): at least one per factor of e in sigma.
template <class T>
int deis_pieces(const T& log_step) {
  constexpr int pieces_for_tensors = 12;  // for steps up to a factor of 1e5; reading a tensor would stall its device
  if constexpr (std::is_arithmetic_v<T>) return 1 + static_cast<int>(std::abs(log_step));
  else return pieces_for_tensors;
}

/// The weights with polynomials in u(sigma), integrated over y = log(sigma/t) from 0 to log(s/t).
///
///   slope:      w_k = integral of L_k(u) t e^y dy
///   denoised:   w_k = -s/t integral of L_k(u) e^-y dy
///
/// @param s      next level
/// @param nodes  levels of the outputs, newest first; nodes[0] is the current level t
/// @param u      function of y, so that close levels stay apart
template <class T, std::size_t K, class U>
std::array<T, K> deis_weights_in(U u, Target target, const T& s, const std::array<T, K>& nodes) {
  using std::exp, std::log;
  const T& t = nodes[0];
  std::array<T, K> places;
  for (std::size_t k = 0; k < K; ++k) places[k] = u(T(log(nodes[k] / t)));
  const T log_step = log(s / t);
  return integrate<K>(log_step, deis_pieces(log_step), [&](const T& y, const T& w) {
    const T factor = target == Target::denoised ? T(-1. * s / t * exp(-1. * y) * w) : T(t * exp(y) * w);
    return lagrange(places, u(y), factor);
  });
}

template <class T, std::size_t K>
std::array<T, K> deis_weights_in_log_sigma(Target target, const T& s, const std::array<T, K>& nodes) {
  return deis_weights_in([](const T& y) { return y; }, target, s, nodes);
}

/// In the time of the linear variance-preserving process through the default range of levels.
template <class T, std::size_t K>
std::array<T, K> deis_weights_in_time(Target target, const T& s, const std::array<T, K>& nodes) {
  static const VpLinear process = VpLinear::through(0.002, 80);
  const auto time = [&t = nodes[0]](const T& y) {
    using std::exp;
    return T(process.time(T(t * exp(y))));
  };
  return deis_weights_in(time, target, s, nodes);
}

}  // namespace fewstep::detail
