#pragma once

#include "../solver.hpp"

#include <tuple>

namespace fewstep {

/// Heun's method on dx/dsigma: the mean of the slopes at both ends.
///   y = x + (s - t) d(x, t),   x' = x + (s - t) [d(x, t) + d(y, s)] / 2
/// Evaluations per step: 2 (1 in a step to level 0, which the driver makes).  Order: 2.
/// Source: Karras et al. 2022, arXiv 2206.00364, algorithm 1.
struct Heun {
  template <State X>
  struct Stages {
    X guess, end_slope;
    void detach() {}
  };

  static constexpr Target target = Target::slope;
  static constexpr int evaluations() { return 2; }
  template <State X>
  Stages<X> memory(const X& x) const {
    return {algebra<X>::like(x), algebra<X>::like(x)};
  }

  template <State X, class M>
  void step(const Step<X>& n, X& x, X& slope, M& model, Stages<X>& m) const {
    const auto at = levels(n.from, n.to);
    combine(m.guess, at, [](const auto& t, const auto& s) { return std::tuple{unit, s - t}; }, x, slope);
    model(m.guess, n.to, m.end_slope);
    combine(
        x, at,
        [](const auto& t, const auto& s) {
          const auto half = 0.5 * (s - t);
          return std::tuple{unit, half, half};
        },
        x, slope, m.end_slope);
  }
};

}  // namespace fewstep
