#pragma once

#include "../../../solver.hpp"
#include "../../unipc.hpp"

#include <cstddef>

namespace fewstep::compat {

/// UniPC as published.
///
/// The mistake: a run with fewer steps than the order corrects its last state too, at the cost of one evaluation.
/// NFE per step: 1; in the last step of such a run 2.
/// Source: diff-sampler, solvers.py, unipc_sampler.
struct UniPc {
  fewstep::UniPc solver{};

  template <State X>
  struct Memory {
    fewstep::UniPc::Memory<X> inner;
    X end_output;
    void detach() { inner.detach(); }
  };

  Target target() const { return target_of(solver); }
  bool multistep() const { return is_multistep(solver); }
  static constexpr int evaluations() { return 2; }
  int evaluations(StepCount& at) const {
    ++at.kept;
    return at.steps_left == 1 && at.kept < static_cast<std::size_t>(solver.order) ? 2 : 1;
  }
  void validate() const { solver.validate(); }
  template <State X>
  Memory<X> memory(const X& x) const {
    return {solver.memory(x), algebra<X>::like(x)};
  }

  template <State X, class M>
  void step(const Step<X>& n, X& x, X& m, M& model, Memory<X>& memory) const {
    solver.step(n, x, m, model, memory.inner);
    if (n.index + 1 < n.count || n.count >= static_cast<std::size_t>(solver.order)) return;
    model(x, n.to, memory.end_output);
    solver.correct(Step<X>{n.to, n.to, n.count, n.count}, x, memory.end_output, memory.inner);
  }
};

}  // namespace fewstep::compat
