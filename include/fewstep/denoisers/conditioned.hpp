#pragma once

#include "../denoiser.hpp"

#include <concepts>
#include <utility>

namespace fewstep {

/// A network of three arguments with the third bound: network(x, sigma, condition) in any form of a denoiser, that is
/// network(x, sigma, condition, out) or network(x, sigma, condition, out, features) too.
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

/// @param condition  anything: a class, a prompt's embedding, one row or column per sample
template <class F, class C>
Conditioned<F, C> conditioned(F network, C condition) {
  return {std::move(network), std::move(condition)};
}

}  // namespace fewstep
