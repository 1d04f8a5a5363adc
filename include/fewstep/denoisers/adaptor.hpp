// What every adaptor of denoisers shares: how it is called, and what it passes on.
#pragma once

#include "../denoiser.hpp"

#include <concepts>
#include <optional>
#include <tuple>
#include <utility>

namespace fewstep {

namespace detail {

/// T is a level that all of D... take: Level<X>, or a double where one of them knows shared levels only.
template <class T, class X, class... D>
concept LevelFor = (std::same_as<T, Level<X>> && (PerSampleDenoiser<D, X> && ...)) ||
                   (std::same_as<T, double> && !(PerSampleDenoiser<D, X> && ...) && (Denoiser<D, X> && ...));

/// The level that all samples share; nothing where each has its own.
template <class T>
std::optional<double> shared_level(const T& t) {
  if constexpr (std::same_as<T, double>) return t;
  else return t.per_sample() ? std::optional<double>() : t.value();
}

}  // namespace detail

/// A denoiser made of others by a rule, which has
///   rule(x, sigma, out, features, inner...) -> bool: features were given
/// and, unless one call takes the evaluations of all inner ones together,
///   rule.evaluations_per_call(inner...), rule.evaluations_at(sigma, inner...)
/// and, where x is not x0 + sigma noise, rule.analytic_first_step(sigma) (concepts.hpp).
/// Takes per-sample levels where all inner ones do. Holds no buffers: it may be shared between threads where the inner
/// ones may, and takes its temporary states from the heap at each call (fixed-size states and tensors: as these do).
template <class Rule, class... D>
struct Adaptor {
  Rule rule;
  std::tuple<D...> inner;

  template <State X, detail::LevelFor<X, const D...> T>
  bool operator()(const X& x, const T& sigma, X& out, Features<X>& features) const {
    return apply(*this, x, level<X>(sigma), out, features);
  }
  template <State X, detail::LevelFor<X, D...> T>
  bool operator()(const X& x, const T& sigma, X& out, Features<X>& features) {
    return apply(*this, x, level<X>(sigma), out, features);
  }
  template <State X, detail::LevelFor<X, const D...> T>
  void operator()(const X& x, const T& sigma, X& out) const {
    Features<X> unused{};
    (*this)(x, sigma, out, unused);
  }
  template <State X, detail::LevelFor<X, D...> T>
  void operator()(const X& x, const T& sigma, X& out) {
    Features<X> unused{};
    (*this)(x, sigma, out, unused);
  }

  /// In the coordinates of the rule, else of the first inner denoiser.
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

  /// The same where it is a denoiser of its own (started.hpp).
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

  int evaluations_per_call() const {
    return std::apply(
        [&](const auto&... d) {
          if constexpr (requires { rule.evaluations_per_call(d...); }) return rule.evaluations_per_call(d...);
          else return (detail::evaluations_per_call(d) + ...);
        },
        inner);
  }
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
