// Noise levels: one for a batch of states, or one per sample.
#pragma once

#include "pack.hpp"

#include <cmath>

namespace fewstep {

template <class X>
struct algebra;

/// The noise level sigma of a batch of states X: one for all samples, or one per sample.
template <class X>
using Level = typename algebra<X>::level;

/// The weight 1 of a term that combine() adds without multiplying.
struct unit_t {};
inline constexpr unit_t unit{};

/// The noise levels that the weights of combine() depend on: references, valid as long as their arguments.
template <class... T>
Pack<const T&...> levels(const T&... t) {
  return {t...};
}

/// out <- f(t...): once for levels shared by the batch, or per sample.
/// @param f  a function of noise levels that accepts doubles; for tensors with gradients, tensors too
template <class X, class F, class... T>
void map_level(Level<X>& out, F f, const T&... t) {
  algebra<X>::map(out, f, t...);
}

/// The noise levels that the library accepts: squares, ratios, and products with scales in the same range stay finite.
inline constexpr double lowest_level = 1e-100, highest_level = 1e100;

namespace detail {

/// Whether a noise level, or the factor of one, is in that range.
constexpr bool is_level(double sigma) { return sigma >= lowest_level && sigma <= highest_level; }
inline constexpr const char* allowed_levels = "1e-100 to 1e100";

/// m = t^(1-r) s^r: the level a share r of the way from t to s in log sigma; r = 1/2 is the geometric mean.
inline constexpr auto geometric = [](const auto& r, const auto& t, const auto& s) {
  using std::pow;
  return t * pow(s / t, r);
};

}  // namespace detail

}  // namespace fewstep
