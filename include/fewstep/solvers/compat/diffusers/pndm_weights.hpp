// The weights of compat::Pndm.
#pragma once

#include "../../../pack.hpp"

#include <cmath>

namespace fewstep::compat {

/// The level of all samples.
template <class L>
double pndm_level(const L& at) {
  if constexpr (requires { at.value(); }) return at.value();
  else return at;
}

/// The level between two stages of a Runge-Kutta step: that of the first half step, and that of the evaluation.
struct PndmMiddle {
  double reached, evaluated;
};

/// The weights of x and the slope at level t in v.
inline auto pndm_v_weights(double t) {
  const double root = std::sqrt(1 + t * t);
  return [=] { return Pack{-t / root, root}; };
}

/// A step from level t to `reached`, whose alpha x the next step takes for that of level s.
struct PndmMove {
  double t, reached, s;
  bool extrapolates_v;

  /// Returns the weights of x and of outputs with the given shares.
  template <class... Share>
  auto operator()(Share... share) const {
    const double q = std::sqrt((1 + s * s) / (1 + reached * reached)), change = reached - t;
    const double carry = extrapolates_v ? q * (1 + change * t / (1 + t * t)) : q;
    const double gain = extrapolates_v ? q * change / std::sqrt(1 + t * t) : q * change;
    return [=] { return Pack{carry, gain * share...}; };
  }
};

}  // namespace fewstep::compat
