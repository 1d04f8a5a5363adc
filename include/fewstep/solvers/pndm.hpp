#pragma once

#include "../solver.hpp"
#include "ipndm.hpp"

#include <cstddef>

namespace fewstep {

/// PNDM (F-PNDM): three steps of the classical Runge-Kutta method, then iPNDM of order 4.
///
///   d1 = d(x, t),   d2 = d(x + h/2 d1, m),   d3 = d(x + h/2 d2, m),   d4 = d(x + h d3, s),
///   x' = x + h (d1 + 2 d2 + 2 d3 + d4)/6
///
/// t, s: current and next level; h = s - t; m = t + h/2; d: slope. The published code takes m at the middle of the
/// training times; with m at the middle of the noise levels these steps are of fourth order.
/// NFE per step: 4 in the first three steps of a run, then 1. Order: that of Ipndm{.order = 4}.
/// Source: Liu et al. 2022, arXiv 2202.09778, algorithm 2 and equation 13.
struct Pndm {
  static constexpr std::size_t first_steps = 3;
  static constexpr Ipndm later_steps{.order = 4};

  template <State X>
  struct Memory {
    History<X> past;
    X stage, d2, d3, d4;
    Level<X> mid{0.};
    void detach() { past.detach(); }
  };

  static constexpr bool multistep = true;
  static constexpr Target target = Target::slope;
  static constexpr int evaluations() { return 4; }
  static constexpr int evaluations(StepCount& at) {
    const int count = at.kept < first_steps ? evaluations() : later_steps.evaluations();
    at.kept += at.remember;
    return count;
  }
  template <State X>
  Memory<X> memory(const X& x) const {
    using A = algebra<X>;
    Memory<X> m{later_steps.memory(x), A::like(x), A::like(x), A::like(x), A::like(x)};
    A::fit(m.mid, x);
    return m;
  }

  static constexpr auto weights = [](const auto& t, const auto& s) {
    const auto sixth = (s - t) / 6., third = (s - t) / 3.;
    return Pack{unit, sixth, third, third, sixth};
  };

  template <State X, class M>
  void step(const Step<X>& n, X& x, X& d1, M& model, Memory<X>& m) const {
    if (m.past.size() == first_steps) return later_steps.step(n, x, d1, model, m.past);
    const auto at = levels(n.from, n.to);
    const auto part = [](double share) {
      return [share](const auto& t, const auto& s) { return Pack{unit, share * (s - t)}; };
    };
    map_level<X>(m.mid, [](const auto& t, const auto& s) { return 0.5 * (t + s); }, n.from, n.to);
    combine(m.stage, at, part(0.5), x, d1);
    model(m.stage, m.mid, m.d2);
    combine(m.stage, at, part(0.5), x, m.d2);
    model(m.stage, m.mid, m.d3);
    combine(m.stage, at, part(1), x, m.d3);
    model(m.stage, n.to, m.d4);
    combine(x, at, weights, x, d1, m.d2, m.d3, m.d4);
    m.past.push(d1, n);
  }
};

}  // namespace fewstep
