#pragma once

#include "../plugin/predictor.hpp"

#include <cmath>
#include <cstddef>
#include <tuple>
#include <utility>

namespace fewstep {

/// Richardson's extrapolation of any solver S of order p: one whole step and two of half its length in log sigma,
/// together of order p + 1.
///   x' = y + (y - S(x; t -> s)) / (2^p - 1),   y = S(S(x; t -> m); m -> s),   m = sqrt(t s)
/// Both ways share the evaluation at t. Multistep solvers remember each way for itself.
/// Evaluations per step: three times those of S, less one.
/// Source: Richardson 1911; for diffusion models RX-DPM, arXiv 2504.01855.
template <class S>
struct Richardson {
  S solver;
  int order = 1;  // p

  template <State X>
  struct Stages {
    Memory<S, X> coarse, fine;
    X whole, first, second;
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
    StepCount coarse{at.kept / 2, at.steps_left, at.remember};  // remembers half of what the fine way does
    StepCount fine{at.kept, 2 * at.steps_left, at.remember};
    const int whole = detail::step_evaluations(solver, coarse), first = detail::step_evaluations(solver, fine);
    fine.steps_left -= 1;
    fine.remember = true;
    const int second = detail::step_evaluations(solver, fine);
    at.kept = fine.kept;
    return whole + first + second - 1;
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
  void step(const Step<X>& n, X& x, X& first, M& model, Stages<X>& m) const {
    map_level<X>(m.mid, [](const auto& t, const auto& s) { return detail::geometric(0.5, t, s); }, n.from, n.to);
    detail::copy(m.whole, x);
    detail::copy(m.first, first);
    solver.step(n, m.whole, m.first, model, m.coarse);
    solver.step(Step<X>{n.from, m.mid, 2 * n.index, 2 * n.count, n.remember}, x, first, model, m.fine);
    model(x, m.mid, m.second);
    solver.step(Step<X>{m.mid, n.to, 2 * n.index + 1, 2 * n.count}, x, m.second, model, m.fine);
    const double excess = 1 / (std::pow(2., order) - 1);
    combine(x, std::tuple<>{}, [&] { return std::tuple{1 + excess, -excess}; }, x, m.whole);
  }
};
template <class S>
Richardson(S, int) -> Richardson<S>;

}  // namespace fewstep
