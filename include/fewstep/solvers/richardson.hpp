#pragma once

#include "../errors.hpp"
#include "../solver.hpp"

#include <cmath>
#include <cstddef>
#include <utility>

namespace fewstep {

/// Richardson extrapolation: raises the order p of a solver S by one, from one whole step and two half steps.
///
///   y = S(S(x; t -> m); m -> s),   x' = y + (y - S(x; t -> s))/(2^p - 1),   m = sqrt(t s)
///
/// t, s: current and next level. The whole step and the first half share the evaluation at t; a multistep solver has
/// one history for whole steps and one for halves.
/// NFE per step: three times that of S, less 1. Order: p + 1.
/// Source: Richardson 1911; for diffusion models RX-DPM, arXiv 2504.01855.
template <class S>
struct Richardson {
  S solver;
  int order = 1;  ///< p, the order of `solver`: 1 or more

  template <State X>
  struct Stages {
    Memory<S, X> coarse, fine;
    X coarse_end, coarse_output, mid_output;
    Level<X> mid{0.};
    void detach() {
      coarse.detach();
      fine.detach();
    }
  };

  static constexpr bool per_sample = detail::per_sample<S>;
  Target target() const { return target_of(solver); }
  bool multistep() const { return is_multistep(solver); }
  int evaluations() const { return 3 * solver.evaluations() - 1; }
  int evaluations(StepCount& at) const {
    StepCount coarse{at.kept / 2, at.steps_left, at.remember};  // its history grows half as fast as the fine one's
    StepCount fine{at.kept, 2 * at.steps_left, at.remember};
    const int whole = detail::step_evaluations(solver, coarse);
    const int first_half = detail::step_evaluations(solver, fine);
    fine.steps_left -= 1;
    fine.remember = true;
    const int second_half = detail::step_evaluations(solver, fine);
    at.kept = fine.kept;
    return whole + first_half + second_half - 1;
  }
  void validate() const {
    detail::validate(solver);
    require(order >= 1, "Richardson::order", order, "1 or more, the order of its solver");
  }
  template <State X>
  Stages<X> memory(const X& x) const {
    Stages<X> m{solver.memory(x), solver.memory(x), algebra<X>::like(x), algebra<X>::like(x), algebra<X>::like(x)};
    algebra<X>::fit(m.mid, x);
    return m;
  }

  template <State X, class M>
  void step(const Step<X>& n, X& x, X& output, M& model, Stages<X>& m) const {
    map_level<X>(m.mid, [](const auto& t, const auto& s) { return detail::geometric(0.5, t, s); }, n.from, n.to);
    detail::copy(m.coarse_end, x);
    detail::copy(m.coarse_output, output);
    solver.step(n, m.coarse_end, m.coarse_output, model, m.coarse);
    solver.step(Step<X>{n.from, m.mid, 2 * n.index, 2 * n.count, n.remember}, x, output, model, m.fine);
    model(x, m.mid, m.mid_output);
    solver.step(Step<X>{m.mid, n.to, 2 * n.index + 1, 2 * n.count}, x, m.mid_output, model, m.fine);
    const double excess = 1 / (std::pow(2., order) - 1);
    combine(x, levels(), [excess] { return Pack{1 + excess, -excess}; }, x, m.coarse_end);
  }
};
template <class S>
Richardson(S, int) -> Richardson<S>;

}  // namespace fewstep
