#pragma once

#include "../unipc.hpp"

#include <cstddef>

namespace fewstep::compat {

/// UniPC as published, which corrects the last state too, at one more evaluation, where the run has fewer steps than its order.
/// Source: diff-sampler, solvers.py, unipc_sampler.
struct UniPc {
  fewstep::UniPc solver{};

  template <State X>
  struct Memory {
    fewstep::UniPc::Memory<X> inner;
    X last;
    void detach() { inner.detach(); }
  };

  Target target() const { return solver.target(); }
  static constexpr int evaluations() { return 2; }
  int evaluations(std::size_t& kept, std::size_t left, bool) const {
    ++kept;
    return left == 1 && kept < static_cast<std::size_t>(solver.order) ? 2 : 1;
  }
  void validate() const { solver.validate(); }
  template <State X>
  Memory<X> memory(const X& x) const { return {solver.memory(x), algebra<X>::like(x)}; }

  template <State X, class M>
  void step(const Step<X>& n, X& x, X& m, M& model, Memory<X>& memory) const {
    solver.step(n, x, m, model, memory.inner);
    if (n.index + 1 < n.count || n.count >= static_cast<std::size_t>(solver.order)) return;
    model(x, n.to, memory.last);
    solver.correct(Step<X>{n.to, n.to, n.count, n.count}, x, memory.last, memory.inner);
  }
};

}  // namespace fewstep::compat
