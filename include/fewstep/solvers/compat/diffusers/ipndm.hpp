#pragma once

#include "../../../history.hpp"
#include "../../../solver.hpp"
#include "../../ipndm.hpp"

#include <utility>

namespace fewstep::compat {

/// iPNDM of order 4 from states of noise alone, x = t noise: the noise counts as an older slope, as if a step had led
/// here from a level without signal. Diffusers evaluates the network there and does not use the result.
///
/// NFE per step: 1. Order: as Ipndm.
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
    if (n.index == 0) {
      combine(m.noise, levels(n.from), [](const auto& t) { return Pack{1. / t}; }, x);
      m.past.push(m.noise, n);
    }
    Ipndm{}.step(n, x, d, model, m.past);
  }
};

}  // namespace fewstep::compat
