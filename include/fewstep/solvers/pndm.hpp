#pragma once

#include "../model.hpp"
#include "../solver.hpp"
#include "ipndm.hpp"

#include <cstddef>
#include <tuple>

namespace fewstep {

/// PNDM (F-PNDM): three steps by Runge and Kutta's classical method, then Adams-Bashforth of order 4 with the weights
/// of equal steps.
///   d1 = d(x, t), d2 = d(x + h/2 d1, t + h/2), d3 = d(x + h/2 d2, t + h/2), d4 = d(x + h d3, s),   h = s - t,
///   x' = x + h (d1 + 2 d2 + 2 d3 + d4)/6
/// The middle is that of the noise levels, which keeps the start at fourth order; the published code takes that of
/// training times. Evaluations per step: 4 in the first three steps of a run, then 1.  Order: 4 on equal steps; later
/// steps as Ipndm. Source: Liu et al. 2022, arXiv 2202.09778, algorithm 2 and equation 13.
struct Pndm {
  static constexpr Ipndm later{.order = 4};
  static constexpr std::size_t starts = 3;

  template <State X>
  struct Memory {
    History<X> past;
    X guess, d2, d3, d4;
    Level<X> mid{0.};
    void detach() { past.detach(); }
  };

  static constexpr bool multistep = true;
  static constexpr Target target = Target::slope;
  static constexpr int evaluations() { return 4; }
  static constexpr int evaluations(StepCount& at) {
    const int here = at.kept < starts ? 4 : 1;
    at.kept += at.remember;
    return here;
  }
  template <State X>
  Memory<X> memory(const X& x) const {
    using A = algebra<X>;
    Memory<X> m{later.memory(x), A::like(x), A::like(x), A::like(x), A::like(x)};
    A::fit(m.mid, x);
    return m;
  }

  template <State X, class M>
  void step(const Step<X>& n, X& x, X& d, M& model, Memory<X>& m) const {
    if (m.past.size() == starts) return later.step(n, x, d, model, m.past);
    const auto at = levels(n.from, n.to);
    const auto part = [](double of) {
      return [of](const auto& t, const auto& s) { return std::tuple{unit, of * (s - t)}; };
    };
    map_level<X>(m.mid, [](const auto& t, const auto& s) { return 0.5 * (t + s); }, n.from, n.to);
    combine(m.guess, at, part(0.5), x, d);
    model(m.guess, m.mid, m.d2);
    combine(m.guess, at, part(0.5), x, m.d2);
    model(m.guess, m.mid, m.d3);
    combine(m.guess, at, part(1), x, m.d3);
    model(m.guess, n.to, m.d4);
    combine(
        x, at,
        [](const auto& t, const auto& s) {
          const auto sixth = (s - t) / 6., third = (s - t) / 3.;
          return std::tuple{unit, sixth, third, third, sixth};
        },
        x, d, m.d2, m.d3, m.d4);
    m.past.push(d, n);
  }
};

}  // namespace fewstep
