#pragma once

#include "../solver.hpp"

namespace fewstep {

/// Heun's method on dx/dsigma: averages the slopes at both ends of the step.
///
///   y = x + (s - t) d(x, t),   x' = x + (s - t) [d(x, t) + d(y, s)]/2
///
/// t, s: current and next level; d: slope.
/// NFE per step: 2; a step to level 0 takes 1, as Run takes the denoised image there. Order: 2.
/// Source: Karras et al. 2022, arXiv 2206.00364, algorithm 1.
struct Heun {
  template <State X>
  struct Stages {
    X euler, end_slope;
    void detach() {}
  };

  static constexpr Target target = Target::slope;
  static constexpr int evaluations() { return 2; }
  template <State X>
  Stages<X> memory(const X& x) const {
    return {algebra<X>::like(x), algebra<X>::like(x)};
  }

  static constexpr auto euler_weights = [](const auto& t, const auto& s) { return Pack{unit, s - t}; };
  static constexpr auto weights = [](const auto& t, const auto& s) {
    const auto half = 0.5 * (s - t);
    return Pack{unit, half, half};
  };

  template <State X, class M>
  void step(const Step<X>& n, X& x, X& d, M& model, Stages<X>& m) const {
    combine(m.euler, levels(n.from, n.to), euler_weights, x, d);
    model(m.euler, n.to, m.end_slope);
    combine(x, levels(n.from, n.to), weights, x, d, m.end_slope);
  }
};

}  // namespace fewstep
