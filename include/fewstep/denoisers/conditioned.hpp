#pragma once

#include "../denoiser.hpp"

#include <concepts>
#include <utility>

namespace fewstep {

/// A network of three arguments, network(x, sigma, condition), whose condition is bound. All forms of a denoiser are
/// possible, such as network(x, sigma, condition, out) and network(x, sigma, condition, out, features).
template <class F, class C>
struct Conditioned {
  F network;
  C condition;

  template <class X, class T, class... Rest>
    requires std::invocable<const F&, const X&, const T&, const C&, Rest...>
  decltype(auto) operator()(const X& x, const T& sigma, Rest&&... rest) const {
    return network(x, sigma, condition, std::forward<Rest>(rest)...);
  }
  template <class X, class T, class... Rest>
    requires std::invocable<F&, const X&, const T&, const C&, Rest...>
  decltype(auto) operator()(const X& x, const T& sigma, Rest&&... rest) {
    return network(x, sigma, std::as_const(condition), std::forward<Rest>(rest)...);
  }
  int evaluations_per_call() const { return detail::evaluations_per_call(network); }
  template <class T>
  int evaluations_at(const T& sigma) const {
    return detail::evaluations_at(network, sigma);
  }
};

/// Binds a network's third argument, which makes it a denoiser of two arguments.
/// @param network    called as network(x, sigma, condition, ...), in any form of a denoiser
/// @param condition  a value of any type: a class, a prompt's embedding, one row or column per sample
/// NFE per call: that of `network`.
template <class F, class C>
Conditioned<F, C> conditioned(F network, C condition) {
  return {std::move(network), std::move(condition)};
}

}  // namespace fewstep
