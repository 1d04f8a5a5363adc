// A solver whose last step leads to another level than the schedule's last one.
#pragma once

#include "../../any_solver.hpp"

#include <utility>

namespace fewstep::io::detail {

/// A solver whose last step leads to `end`, which may be above the level before: schedules decrease throughout, and
/// diffusers' do not.
template <State X>
struct WithLastLevel {
  AnySolver<X> solver;
  double end;

  Target target() const { return solver.target(); }
  bool multistep() const { return solver.multistep(); }
  int evaluations() const { return solver.evaluations(); }
  int evaluations(StepCount& at) const { return solver.evaluations(at); }
  void validate() const { solver.validate(); }
  auto memory(const X& x) const { return solver.memory(x); }

  template <class M>
  void step(const Step<X>& n, X& x, X& first, M& model, typename AnySolver<X>::Memory& memory) const {
    if (n.index + 1 < n.count) return solver.step(n, x, first, model, memory);
    const Level<X> to(end);
    solver.step(Step<X>{n.from, to, n.index, n.count, n.remember}, x, first, model, memory);
  }
};

}  // namespace fewstep::io::detail
