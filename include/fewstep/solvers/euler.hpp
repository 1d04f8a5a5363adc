#pragma once

#include "../history.hpp"
#include "../solver.hpp"

namespace fewstep {

/// Euler's method on dx/dsigma, which is the update of DDIM.
///
///   x' = x + (s - t) d
///
/// t, s: current and next level; d: slope at (x, t).
/// NFE per step: 1. Order: 1.
/// Source: Song, Meng & Ermon 2021, arXiv 2010.02502, equation 13; Karras et al. 2022, arXiv 2206.00364.
struct Euler {
  static constexpr Target target = Target::slope;
  static constexpr bool fuses_slope = true;
  static constexpr int evaluations() { return 1; }
  template <State X>
  NoMemory memory(const X&) const {
    return {};
  }

  template <State X, class M>
  void step(const Step<X>& n, X& x, X& d, M&, NoMemory&) const {
    const auto at = levels(n.from, n.to);
    // With the denoised image D instead of d the step is a single sum, (s/t) x + (1 - s/t) D.
    if (n.pending) combine(x, at, [](const auto& t, const auto& s) { return Pack{s / t, 1. - s / t}; }, x, d);
    else combine(x, at, [](const auto& t, const auto& s) { return Pack{unit, s - t}; }, x, d);
  }
};

}  // namespace fewstep
