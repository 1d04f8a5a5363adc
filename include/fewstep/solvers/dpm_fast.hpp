#pragma once

#include "../errors.hpp"
#include "../solver.hpp"
#include "singlestep_dpm.hpp"

#include <algorithm>
#include <cstddef>

namespace fewstep {

/// DPM-Solver-fast: steps of DPM-Solver-3, the last one or two of lower order, so that the run takes exactly `nfe`
/// evaluations. The orders are 3, ..., 3, 2, 1 where 3 divides nfe, else 3, ..., 3, and the remainder.
///
///   const DpmFast solver{.nfe = 7};
///   sample(solver, denoise, log_uniform({.steps = solver.steps()}), noise);
///
/// NFE per step: its order.
/// Source: Lu et al. 2022, arXiv 2206.00927; sample_dpm_fast of k-diffusion.
struct DpmFast {
  int nfe;  ///< evaluations of the whole run, 1 to 1000000

  static constexpr Target target = Target::slope;

  /// Steps of the schedule: the solver runs on no other number. The published schedule is log_uniform.
  int steps() const { return nfe / highest + 1; }
  /// The order of a step.
  /// @param left  remaining steps, including this one
  int order(std::size_t left) const {
    const int last = nfe % highest;
    if (last > 0) return left == 1 ? last : highest;
    return static_cast<int>((std::min)(left, std::size_t{highest}));
  }
  int evaluations() const { return (std::min)(nfe, highest); }
  int evaluations(StepCount& at) const { return order(at.steps_left); }
  void validate() const {
    constexpr int most = 1'000'000;
    require(nfe >= 1 && nfe <= most, "DpmFast::nfe", nfe, {"1 to ", most});
  }
  template <State X>
  auto memory(const X& x) const {
    return SinglestepDpm{highest, target}.memory(x);
  }

  template <State X, class M>
  void step(const Step<X>& n, X& x, X& first, M& model, SinglestepDpm::Stages<X>& stages) const {
    require(n.count == static_cast<std::size_t>(steps()), "the steps of the schedule", n.count,
            {steps(), " for DpmFast with nfe ", nfe});
    const int here = order(n.count - n.index);
    SinglestepDpm{here, target, here == 2 ? 1. / 2 : 1. / 3}.step(n, x, first, model, stages);
  }

 private:
  static constexpr int highest = 3;
};

}  // namespace fewstep
