#pragma once

#include "../algebra.hpp"
#include "adaptor.hpp"

#include <type_traits>
#include <utility>

namespace fewstep {

/// The denoiser of a raw network F whose input and output are scaled.
///
///   D(x, sigma) = skip(sigma) x + out(sigma) F(in(sigma) x, label(sigma))
///
/// Rule has the members label, in, out and, unless it is 0, skip. Each is a function of a noise level that accepts
/// doubles and tensors; label may accept doubles only. A factor `unit` costs neither a multiplication nor a copy.
template <class Rule>
struct Precondition {
  Rule rule;

  template <State X, class F>
  bool operator()(const X& x, const Level<X>& sigma, X& out, Features<X>& features, F& network) const {
    const Rule& r = rule;
    Level<X> label(0.);
    map_level<X>(label, [&r](const auto& s) -> decltype(r.label(s)) { return r.label(s); }, sigma);
    bool has_features = false;
    if constexpr (std::is_same_v<decltype(r.in(1.)), unit_t>) {
      has_features = detail::denoise(network, x, std::as_const(label), out, features);
    } else {
      X input = algebra<X>::like(x);
      combine(input, levels(sigma), [&r](const auto& s) { return Pack{r.in(s)}; }, x);
      has_features = detail::denoise(network, std::as_const(input), std::as_const(label), out, features);
    }
    if constexpr (requires { r.skip(1.); })
      combine(out, levels(sigma), [&r](const auto& s) { return Pack{r.skip(s), r.out(s)}; }, x, out);
    else if constexpr (!std::is_same_v<decltype(r.out(1.)), unit_t>)
      combine(out, levels(sigma), [&r](const auto& s) { return Pack{r.out(s)}; }, out);
    return has_features;
  }

  /// The weight of x in D.
  template <class T>
  auto skip(const T& sigma) const {
    if constexpr (requires { rule.skip(sigma); }) return rule.skip(sigma);
    else return 0.;
  }

  template <class T>
    requires requires(const Rule& r, const T& t) { r.analytic_first_step(t); }
  auto analytic_first_step(const T& sigma) const {
    return rule.analytic_first_step(sigma);
  }

  /// The network's evaluations at its own level, which is its label.
  template <class T, class F>
  int evaluations_at(const T& sigma, const F& network) const {
    const auto level = detail::shared_level(sigma);
    return level ? detail::evaluations_at(network, T(rule.label(*level))) : detail::evaluations_per_call(network);
  }
};

/// The type of the denoisers that precondition() returns.
template <class F, class Rule>
using Preconditioned = Adaptor<Precondition<Rule>, F>;

/// The denoiser of a network by a rule; see Precondition.
/// @param network  any form of denoiser, called as (input, label); its features are forwarded
/// NFE per call: that of `network`.
template <class F, class Rule>
Preconditioned<F, Rule> precondition(F network, Rule rule) {
  return detail::adapt(Precondition<Rule>{std::move(rule)}, std::move(network));
}

}  // namespace fewstep
