#pragma once

#include "heun.hpp"
#include "ipndm.hpp"

#include <cstddef>
#include <utility>

namespace fewstep {

/// PLMS, Stable Diffusion's form of PNDM: iPNDM of order 4, but for a first step by Heun's method, of whose two slopes
/// the history keeps the first. Evaluations per step: 1, the first step of a run 2.  Order: as Ipndm. Source: Liu et
/// al. 2022, arXiv 2202.09778; Rombach et al. 2022 (latent-diffusion, plms.py).
struct Plms {
  static constexpr Ipndm later{.order = 4};

  template <State X>
  struct Memory {
    Heun::Stages<X> start;
    History<X> past;
    void detach() { past.detach(); }
  };

  static constexpr bool multistep = true;
  static constexpr Target target = Target::slope;
  static constexpr int evaluations() { return 2; }
  static constexpr int evaluations(StepCount& at) {
    const int here = at.kept == 0 ? 2 : 1;
    at.kept += at.remember;
    return here;
  }
  template <State X>
  Memory<X> memory(const X& x) const {
    return {Heun{}.memory(x), later.memory(x)};
  }

  template <State X, class M>
  void step(const Step<X>& n, X& x, X& d, M& model, Memory<X>& m) const {
    if (m.past.size() > 0) return later.step(n, x, d, model, m.past);
    Heun{}.step(n, x, d, model, m.start);
    m.past.push(d, n);
  }
};

}  // namespace fewstep
