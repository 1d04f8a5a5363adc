// Noise levels: one for a batch of states, or one per sample.
#pragma once

#include <cmath>
#include <tuple>

namespace fewstep {

template <class X>
struct algebra;

/// Noise levels for a batch of states X: one for all samples, or one per sample.
template <class X>
using Level = typename algebra<X>::level;

/// The weight 1: its term is added, never multiplied.
struct unit_t {};
inline constexpr unit_t unit{};

/// The noise levels that a set of weights depends on.
template <class... T>
std::tuple<const T&...> levels(const T&... t) {
  return {t...};
}

/// out <- f(t...), for the whole batch or per sample.
template <class X, class F, class... T>
void map_level(Level<X>& out, F f, const T&... t) {
  algebra<X>::map(out, f, t...);
}

namespace detail {
/// t^(1-r) s^r: the level a share r of the way from t to s in log sigma.
inline constexpr auto geometric = [](const auto& r, const auto& t, const auto& s) {
  using std::pow;
  return t * pow(s / t, r);
};
}  // namespace detail

}  // namespace fewstep
