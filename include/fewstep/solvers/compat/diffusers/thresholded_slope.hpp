#pragma once

#include "../../../solver.hpp"

#include <utility>

namespace fewstep::compat {

/// A solver that extrapolates slopes, with slopes to the thresholded denoised image: (x - D)/t for the D that
/// Options::thresholding gives. Thresholding by itself leaves solvers with Target::slope alone.
/// NFE per step: that of the solver, which must be 1.
/// Source: diffusers, scheduling_deis_multistep.py, thresholding.
/// @tparam S  a solver with Target::slope and one evaluation per step
template <class S>
struct ThresholdedSlope {
  S solver;

  static constexpr Target target = Target::denoised;
  bool multistep() const { return is_multistep(solver); }
  static constexpr int evaluations() { return 1; }
  void validate() const { detail::validate(solver); }
  template <State X>
  auto memory(const X& x) const {
    return solver.memory(x);
  }

  template <State X, class M, class Memory>
  void step(const Step<X>& n, X& x, X& denoised, M& model, Memory& memory) const {
    combine(denoised, levels(n.from), [](const auto& t) { return Pack{1. / t, -1. / t}; }, x, denoised);
    solver.step(n, x, denoised, model, memory);
  }
};
template <class S>
ThresholdedSlope(S) -> ThresholdedSlope<S>;

}  // namespace fewstep::compat
