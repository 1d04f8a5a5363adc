// The base of every adaptor: how a denoiser made of other denoisers is called, and what it forwards.
#pragma once

#include "../branches.hpp"
#include "../denoiser.hpp"

#include <concepts>
#include <cstddef>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

namespace fewstep {

namespace detail {

/// Whether denoisers D... can be called together with a level of type T: Level<X> where each accepts one level per
/// sample, else double.
template <class T, class X, class... D>
concept LevelFor = (std::same_as<T, Level<X>> && (PerSampleDenoiser<D, X> && ...)) ||
                   (std::same_as<T, double> && !(PerSampleDenoiser<D, X> && ...) && (Denoiser<D, X> && ...));

/// A rule that remembers something between calls, which a constant denoiser cannot.
template <class Rule>
concept Stateful = requires { requires Rule::stateful; };

/// A rule that changes neither the outputs of an inner denoiser's branches nor their combination.
template <class Rule>
concept KeepsBranches = requires { requires Rule::keeps_branches; };

/// The number of branches of a denoiser made by a rule, and their evaluation: the rule's own, else the first inner
/// denoiser's.
template <class Rule, class... D>
  requires requires(const Rule& rule, const D&... inner) { rule.branches(inner...); }
std::size_t branch_count(const Rule& rule, const D&... inner) {
  return rule.branches(inner...);
}
template <KeepsBranches Rule, class First, class... D>
  requires requires(const First& first) { first.branches(); }
std::size_t branch_count(const Rule&, const First& first, const D&...) {
  return first.branches();
}
template <class Rule, class... D>
  requires requires(const Rule& rule, const D&... inner) { rule.combination(inner...); }
std::vector<double> branch_combination(const Rule& rule, const D&... inner) {
  return rule.combination(inner...);
}
template <KeepsBranches Rule, class First, class... D>
  requires requires(const First& first) { first.combination(); }
std::vector<double> branch_combination(const Rule&, const First& first, const D&...) {
  return first.combination();
}
template <class Rule, class X, class... D>
  requires requires(const Rule& rule, const Level<X>& t, BranchCall<X>& call, D&... inner) {
    rule.evaluate_branches(t, call, inner...);
  }
void evaluate_branches(const Rule& rule, const Level<X>& sigma, BranchCall<X>& call, D&... inner) {
  rule.evaluate_branches(sigma, call, inner...);
}
template <KeepsBranches Rule, class X, BranchedDenoiser<X> First, class... D>
void evaluate_branches(const Rule&, const Level<X>& sigma, BranchCall<X>& call, First& first, D&...) {
  first.evaluate_branches(sigma, call);
}

/// The level shared by all samples, or nothing where each sample has its own.
template <class T>
std::optional<double> shared_level(const T& sigma) {
  if constexpr (std::same_as<T, double>) return sigma;
  else return sigma.per_sample() ? std::optional<double>() : sigma.value();
}

}  // namespace detail

/// A denoiser made of inner denoisers D... by a rule. The rule has
///
///   rule(x, sigma, out, features, inner...) -> bool   out <- D(x, sigma); returns whether it set features
///
/// and, optionally,
///
///   evaluations_per_call(inner...)       network evaluations of one call: the sum over all inner ones by default
///   evaluations_at(sigma, inner...)      the same at one level
///   skip(sigma)                          the weight of x in D beside the network's output
///   analytic_first_step(sigma)           where x is not x0 + sigma noise: w such that D is about w x
///   analytic_first_step(x, sigma, out)   out <- an analytic estimate of D
///   branches(inner...), combination(inner...), evaluate_branches(sigma, call, inner...)   as of a BranchedDenoiser
///   keeps_branches                       static constexpr bool: whether the branches are the first inner denoiser's
///
/// The adaptor accepts levels per sample where all inner denoisers do. It has no buffers: threads may share it if they
/// may share the inner denoisers, and each call allocates its temporary states. A rule that remembers something between
/// calls says so by `static constexpr bool stateful = true`; its adaptor cannot be called where it is const.
template <class Rule, class... D>
struct Adaptor {
  Rule rule;
  std::tuple<D...> inner;

  /// @return whether features were set
  template <State X, detail::LevelFor<X, const D...> T>
    requires(!detail::Stateful<Rule>)
  bool operator()(const X& x, const T& sigma, X& out, Features<X>& features) const {
    return apply(*this, x, level<X>(sigma), out, features);
  }
  template <State X, detail::LevelFor<X, D...> T>
  bool operator()(const X& x, const T& sigma, X& out, Features<X>& features) {
    return apply(*this, x, level<X>(sigma), out, features);
  }
  template <State X, detail::LevelFor<X, const D...> T>
    requires(!detail::Stateful<Rule>)
  void operator()(const X& x, const T& sigma, X& out) const {
    Features<X> unused{};
    (*this)(x, sigma, out, unused);
  }
  template <State X, detail::LevelFor<X, D...> T>
  void operator()(const X& x, const T& sigma, X& out) {
    Features<X> unused{};
    (*this)(x, sigma, out, unused);
  }

  /// The rule's weight, else the first inner denoiser's.
  template <class T>
    requires requires(const Rule& r, const T& t) { r.analytic_first_step(t); }
  auto analytic_first_step(const T& sigma) const {
    return rule.analytic_first_step(sigma);
  }
  template <class T>
    requires(
        !requires(const Rule& r, const T& t) { r.analytic_first_step(t); } &&
        requires(const std::tuple_element_t<0, std::tuple<D...>>& d, const T& t) { d.analytic_first_step(t); })
  auto analytic_first_step(const T& sigma) const {
    return std::get<0>(inner).analytic_first_step(sigma);
  }

  /// The rule's estimate, else the first inner denoiser's, unless the rule has a weight.
  template <State X>
    requires requires(const Rule& r, const X& x, const Level<X>& t, X& out) { r.analytic_first_step(x, t, out); }
  void analytic_first_step(const X& x, const Level<X>& sigma, X& out) const {
    rule.analytic_first_step(x, sigma, out);
  }
  template <State X>
    requires(
        !requires(const Rule& r, const X& x, const Level<X>& t, X& out) { r.analytic_first_step(x, t, out); } &&
        !requires(const Rule& r) { r.analytic_first_step(1.); } &&
        requires(const std::tuple_element_t<0, std::tuple<D...>>& d, const X& x, const Level<X>& t, X& out) {
          d.analytic_first_step(x, t, out);
        })
  void analytic_first_step(const X& x, const Level<X>& sigma, X& out) const {
    std::get<0>(inner).analytic_first_step(x, sigma, out);
  }

  /// The weight of x in D beside the network's output: the rule's, else the first inner denoiser's.
  template <class T>
    requires requires(const Rule& r, const T& t) { r.skip(t); }
  auto skip(const T& sigma) const {
    return rule.skip(sigma);
  }
  template <class T>
    requires(
        !requires(const Rule& r, const T& t) { r.skip(t); } &&
        requires(const std::tuple_element_t<0, std::tuple<D...>>& d, const T& t) { d.skip(t); })
  auto skip(const T& sigma) const {
    return std::get<0>(inner).skip(sigma);
  }

  /// The rule's branches, else the first inner denoiser's where the rule keeps them.
  std::size_t branches() const
    requires requires(const Rule& r, const D&... d) { detail::branch_count(r, d...); }
  {
    return std::apply([&](const auto&... d) { return detail::branch_count(rule, d...); }, inner);
  }
  std::vector<double> combination() const
    requires requires(const Rule& r, const D&... d) { detail::branch_combination(r, d...); }
  {
    return std::apply([&](const auto&... d) { return detail::branch_combination(rule, d...); }, inner);
  }
  template <class X>
    requires requires(const Rule& r, const Level<X>& t, BranchCall<X>& call, const D&... d) {
      detail::evaluate_branches(r, t, call, d...);
    }
  void evaluate_branches(const Level<X>& sigma, BranchCall<X>& call) const {
    std::apply([&](const auto&... d) { detail::evaluate_branches(rule, sigma, call, d...); }, inner);
  }
  template <class X>
    requires requires(const Rule& r, const Level<X>& t, BranchCall<X>& call, D&... d) {
      detail::evaluate_branches(r, t, call, d...);
    }
  void evaluate_branches(const Level<X>& sigma, BranchCall<X>& call) {
    std::apply([&](auto&... d) { detail::evaluate_branches(rule, sigma, call, d...); }, inner);
  }

  /// Largest number of network evaluations of one call.
  int evaluations_per_call() const {
    return std::apply(
        [&](const auto&... d) {
          if constexpr (requires { rule.evaluations_per_call(d...); }) return rule.evaluations_per_call(d...);
          else return (detail::evaluations_per_call(d) + ...);
        },
        inner);
  }
  /// Number of network evaluations of a call at a level.
  /// @param sigma  Level<X>
  template <class T>
  int evaluations_at(const T& sigma) const {
    return std::apply(
        [&](const auto&... d) {
          if constexpr (requires { rule.evaluations_at(sigma, d...); }) return rule.evaluations_at(sigma, d...);
          else return (detail::evaluations_at(d, sigma) + ...);
        },
        inner);
  }

 private:
  template <class X>
  static const Level<X>& level(const Level<X>& sigma) {
    return sigma;
  }
  template <class X>
    requires(!std::same_as<Level<X>, double>)
  static Level<X> level(double sigma) {
    return Level<X>(sigma);
  }

  template <class Self, class X>
  static bool apply(Self& self, const X& x, const Level<X>& sigma, X& out, Features<X>& features) {
    return std::apply([&](auto&... d) { return self.rule(x, sigma, out, features, d...); }, self.inner);
  }
};

namespace detail {
template <class Rule, class... D>
Adaptor<Rule, D...> adapt(Rule rule, D... inner) {
  return {std::move(rule), std::tuple<D...>(std::move(inner)...)};
}
}  // namespace detail

}  // namespace fewstep
