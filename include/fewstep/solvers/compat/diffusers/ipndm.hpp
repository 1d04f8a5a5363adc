#pragma once

#include "../../../history.hpp"
#include "../../../solver.hpp"
#include "../../ipndm.hpp"

namespace fewstep::compat {

/// iPNDM of order 4 whose first step leads from noise alone: from x = t noise to s noise, with the noise as its slope.
/// t stands for a level without signal, where diffusers evaluates the network and does not use the result.
///
///   x' = s x/t in the first step, then as Ipndm
///
/// NFE per step: 1; with an analytic first step, whose slope is not used either, 0 in the first. Order: as Ipndm.
/// Source: diffusers, scheduling_ipndm.py.
struct IpndmFromNoise {
  template <State X>
  struct Memory {
    History<X> past;
    X noise;
    void detach() { past.detach(); }
  };

  static constexpr bool multistep = true;
  static constexpr Target target = Target::slope;
  static constexpr int evaluations() { return 1; }
  template <State X>
  Memory<X> memory(const X& x) const {
    return {Ipndm{}.memory(x), algebra<X>::like(x)};
  }

  template <State X, class M>
  void step(const Step<X>& n, X& x, X& d, M& model, Memory<X>& m) const {
    if (n.index > 0) return Ipndm{}.step(n, x, d, model, m.past);
    combine(m.noise, levels(n.from), [](const auto& t) { return Pack{1. / t}; }, x);
    combine(x, levels(n.to), [](const auto& s) { return Pack{1. * s}; }, m.noise);
    m.past.push(m.noise, n);
  }
};

}  // namespace fewstep::compat
