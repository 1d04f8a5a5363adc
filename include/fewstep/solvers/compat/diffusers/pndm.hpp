#pragma once

#include "../../../history.hpp"
#include "../../../solver.hpp"
#include "pndm_weights.hpp"

#include <cstddef>
#include <vector>

namespace fewstep::compat {

/// PNDM and PLMS on diffusers' training steps.
///
/// It starts as fewstep::Pndm, three Runge-Kutta steps, or as fewstep::Plms, one step of Heun's method, and goes on as
/// Ipndm of order 4. The differences: the middle of a Runge-Kutta step is that of training steps; a step leads to the
/// level `reached`, and the next one takes alpha x there for alpha x at its own level; a network that predicts v has
/// its v extrapolated instead of the slope. NFE per step: 4 in each of three Runge-Kutta steps, 2 in the step by Heun's
/// method, else 1. Source: diffusers, scheduling_pndm.py.
struct Pndm {
  std::vector<double> reached = {};      ///< the level that each step leads to, one per step; may be 0
  std::vector<PndmMiddle> middles = {};  ///< of the three Runge-Kutta steps; empty: starts by Heun's method
  double restart = 0;                    ///< the level that Heun's step takes its start for
  bool extrapolates_v = false;           ///< for a variance-preserving network that predicts v

  template <State X>
  struct Memory {
    History<X> past;
    X stage, start, o2, o3, o4;
    void detach() { past.detach(); }
  };

  static constexpr bool multistep = true;
  static constexpr Target target = Target::slope;
  int evaluations() const { return middles.empty() ? 2 : 4; }
  int evaluations(StepCount& at) const {
    const bool starts = at.kept < (middles.empty() ? 1 : middles.size());
    at.kept += at.remember;
    return starts ? evaluations() : 1;
  }
  template <State X>
  Memory<X> memory(const X& x) const {
    using A = algebra<X>;
    return {{x, 3}, A::like(x), A::like(x), A::like(x), A::like(x), A::like(x)};
  }

  template <State X, class M>
  void step(const Step<X>& n, X& x, X& o1, M& model, Memory<X>& m) const {
    const double t = pndm_level(n.from), s = pndm_level(n.to), r = reached.at(n.index);
    to_output(o1, x, t);
    const History<X>& past = m.past;
    const auto move = [&](auto... share) { return weights(t, r, s)(share...); };
    if (past.size() == 0 && middles.empty()) heun(n, x, o1, model, m);
    else if (past.size() < middles.size()) runge_kutta(n, x, o1, model, m);
    else if (past.size() == 1) combine(x, levels(), move(1.5, -0.5), x, o1, past[0]);
    else if (past.size() == 2) combine(x, levels(), move(23. / 12, -16. / 12, 5. / 12), x, o1, past[0], past[1]);
    else combine(x, levels(), move(55. / 24, -59. / 24, 37. / 24, -9. / 24), x, o1, past[0], past[1], past[2]);
    m.past.push(o1, n);
  }

 private:
  PndmMove weights(double t, double r, double s) const { return {t, r, s, extrapolates_v}; }

  /// d, the slope at (x, t), becomes what is extrapolated.
  template <State X>
  void to_output(X& d, const X& x, double t) const {
    if (extrapolates_v) combine(d, levels(), pndm_v_weights(t), x, d);
  }

  template <State X, class M>
  void heun(const Step<X>& n, X& x, const X& o1, M& model, Memory<X>& m) const {
    const double t = pndm_level(n.from), s = pndm_level(n.to);
    combine(m.stage, levels(), weights(t, reached.at(n.index), s)(1.), x, o1);
    model(m.stage, n.to, m.o2);
    to_output(m.o2, m.stage, s);
    combine(m.start, levels(), weights(t, t, restart)(), x);
    combine(x, levels(), weights(restart, s, s)(0.5, 0.5), m.start, o1, m.o2);
  }

  template <State X, class M>
  void runge_kutta(const Step<X>& n, X& x, const X& o1, M& model, Memory<X>& m) const {
    const double t = pndm_level(n.from), s = pndm_level(n.to);
    const auto [half, middle] = middles[m.past.size()];
    const auto evaluate = [&](double where, X& output) {
      model(m.stage, Level<X>(where), output);
      to_output(output, m.stage, where);
    };
    combine(m.stage, levels(), weights(t, half, middle)(1.), x, o1);
    evaluate(middle, m.o2);
    combine(m.stage, levels(), weights(t, middle, middle)(1.), x, m.o2);
    evaluate(middle, m.o3);
    combine(m.stage, levels(), weights(t, s, s)(1.), x, m.o3);
    evaluate(s, m.o4);
    combine(x, levels(), weights(t, s, s)(1. / 6, 1. / 3, 1. / 3, 1. / 6), x, o1, m.o2, m.o3, m.o4);
  }
};

}  // namespace fewstep::compat
