#pragma once

#include "heun.hpp"
#include "ipndm.hpp"

#include <cstddef>
#include <utility>

namespace fewstep {

/// PLMS, the variant of PNDM in Stable Diffusion: one step of Heun's method, then iPNDM of order 4.
///
/// The history starts with the first of Heun's two slopes.
/// NFE per step: 2 in the first step of a run, then 1. Order: that of Ipndm{.order = 4}.
/// Source: Liu et al. 2022, arXiv 2202.09778; Rombach et al. 2022, latent-diffusion, plms.py.
struct Plms {
  static constexpr Heun first_step{};
  static constexpr Ipndm later_steps{.order = 4};

  template <State X>
  struct Memory {
    Heun::Stages<X> stages;
    History<X> past;
    void detach() { past.detach(); }
  };

  static constexpr bool multistep = true;
  static constexpr Target target = Target::slope;
  static constexpr int evaluations() { return first_step.evaluations(); }
  static constexpr int evaluations(StepCount& at) {
    const int count = at.kept == 0 ? first_step.evaluations() : later_steps.evaluations();
    at.kept += at.remember;
    return count;
  }
  template <State X>
  Memory<X> memory(const X& x) const {
    return {first_step.memory(x), later_steps.memory(x)};
  }

  template <State X, class M>
  void step(const Step<X>& n, X& x, X& d, M& model, Memory<X>& m) const {
    if (m.past.size() > 0) return later_steps.step(n, x, d, model, m.past);
    first_step.step(n, x, d, model, m.stages);
    m.past.push(d, n);
  }
};

}  // namespace fewstep
