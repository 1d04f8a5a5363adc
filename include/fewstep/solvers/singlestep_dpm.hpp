#pragma once

#include "../errors.hpp"
#include "../solver.hpp"
#include "detail/phi.hpp"

#include <cmath>

namespace fewstep {

/// Exponential single-step solver: DPM-Solver++ 1/2S/3S on denoised images, DPM-Solver-1/2/3 on slopes.
///
///   y1 = S(r1),   y2 = S(r2) + (r2/r1) p2(r2) (m1 - m0),
///   order 1: x' = S(1),   order 2: x' = S(1) + p1(1)/(2 r1) (m1 - m0),   order 3: x' = S(1) + p2(1)/r2 (m2 - m0),
///   S(r) = a x + p1(r) m0,   p_k(r) = g phi_k(z),   level(r) = t^(1-r) s^r,
///   denoised: a = level(r)/t, g = r h, z = -r h,   slope: a = 1, g = -level(r) r h, z = r h
///
/// t, s: current and next level; h = log(t/s); S(r): first-order step to level(r); m0, m1, m2: model outputs at (x, t),
/// (y1, level(r1)) and (y2, level(r2)).
/// NFE per step: `order`. Order: `order`.
/// Source: Lu et al. 2022, arXiv 2206.00927, algorithms 1 and 2; arXiv 2211.01095, algorithm 1 and appendix B.
struct SinglestepDpm {
  int order = 3;  ///< 1 to 3
  Target target = Target::denoised;
  double r1 = 1. / 3;  ///< between 0 and 1; for orders 2 and 3
  double r2 = 2. / 3;  ///< above 0, at most 1, not r1; for order 3

  template <State X>
  struct Stages {
    X stage, m1, m2;
    Level<X> level{0.};
    void detach() {}
  };

  int evaluations() const { return order; }
  void validate() const {
    require(order >= 1 && order <= 3, "SinglestepDpm::order", order, "1 to 3");
    require(r1 > 0 && r1 < 1, "SinglestepDpm::r1", r1, "numbers between 0 and 1");
    require(r2 > 0 && r2 <= 1 && r2 != r1, "SinglestepDpm::r2", r2, "above 0, at most 1, not r1");
  }
  template <State X>
  Stages<X> memory(const X& x) const {
    Stages<X> m{algebra<X>::like(x), algebra<X>::like(x), algebra<X>::like(x)};
    algebra<X>::fit(m.level, x);
    return m;
  }

  /// The weights {a, p1(r) - c q, c q} of x, m0 and a later output, as functions of t and s.
  /// @param exact  true: q = p2(r); false: q = p1(r)/2, as in the published second order
  auto weights(double r, double c, bool exact) const {
    return [=, target = target](const auto& t, const auto& s) {
      using std::log;
      const bool denoised = target == Target::denoised;
      const auto m = detail::geometric(r, t, s);
      const auto z = r * log(t / s);
      const auto p1 = denoised ? 1. - m / t : m - t;
      const auto q = !exact ? 0.5 * p1 : denoised ? z * detail::phi<2>(-1. * z) : -1. * m * z * detail::phi<2>(z);
      return Pack{carry(target, t, m), p1 - c * q, c * q};
    };
  }

  template <State X, class M>
  void step(const Step<X>& n, X& x, X& m0, M& model, Stages<X>& m) const {
    const auto at = levels(n.from, n.to);
    if (order == 1) return combine(x, at, weights(1, 0, true), x, m0, m0);
    const auto evaluate_stage = [&](double r, double c, const X& previous, X& output) {
      combine(m.stage, at, weights(r, c, true), x, m0, previous);
      map_level<X>(m.level, [r](const auto& t, const auto& s) { return detail::geometric(r, t, s); }, n.from, n.to);
      model(m.stage, m.level, output);
    };
    evaluate_stage(r1, 0, m0, m.m1);
    if (order == 2) return combine(x, at, weights(1, 1 / r1, false), x, m0, m.m1);
    evaluate_stage(r2, r2 / r1, m.m1, m.m2);
    combine(x, at, weights(1, 1 / r2, true), x, m0, m.m2);
  }
};

}  // namespace fewstep
