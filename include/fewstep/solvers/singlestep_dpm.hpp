#pragma once

#include "../errors.hpp"
#include "../model.hpp"
#include "../solver.hpp"
#include "detail/phi.hpp"
#include "dpmpp.hpp"

#include <tuple>

namespace fewstep {

/// Single-step exponential solver: DPM-Solver-1/2/3 on slopes, DPM-Solver++ 1/2S/3S on images. With h = log(t/s),
/// levels m_i = t^(1-r_i) s^(r_i), m0 the output at t and m1, m2 those at the stages,
///   y1 = S1(r1),   y2 = S1(r2) + (r2/r1) p2(r2) (m1 - m0),
///   order 2: x' = S1(1) + p1(1)/(2 r1) (m1 - m0),   order 3: x' = S1(1) + p2(1)/r2 (m2 - m0),
///   S1(r) = a x + p1(r) m0 from t to m = t^(1-r) s^r,   p_k(r) = g phi_k(z),
///   data: a = m/t, g = r h, z = -r h;   noise: a = 1, g = -m r h, z = r h.
/// Evaluations per step: `order`.  Order: `order`.
/// Source: Lu et al. 2022, arXiv 2206.00927, algorithms 1 and 2; arXiv 2211.01095, algorithm 1 and appendix B.
struct SinglestepDpm {
  int order = 3;
  Target target = Target::denoised;
  double r1 = 1. / 3, r2 = 2. / 3;  // order 2 takes r1 alone

  template <State X>
  struct Stages {
    X guess, output_1, output_2;
    Level<X> mid{0.};
    void detach() {}
  };

  int evaluations() const { return order; }
  void validate() const {
    require(order >= 1 && order <= 3, "SinglestepDpm::order", order, "1 to 3");
    require(r1 > 0 && r1 < 1, "SinglestepDpm::r1", r1, "numbers between 0 and 1");
    require(r2 > 0 && r2 <= 1 && r2 != r1, "SinglestepDpm::r2", r2, "numbers between 0 and 1, not r1");
  }
  template <State X>
  Stages<X> memory(const X& x) const {
    Stages<X> m{algebra<X>::like(x), algebra<X>::like(x), algebra<X>::like(x)};
    algebra<X>::fit(m.mid, x);
    return m;
  }

  /// {a, p1 - c p2, c p2} for a part r of the step, or with p1/2 in place of p2.
  auto weights(double r, double c, bool exact) const {
    return [=, data = target == Target::denoised](const auto& t, const auto& s) {
      using std::log, std::pow;
      const auto m = t * pow(s / t, r);
      const auto z = r * log(t / s);
      const auto p1 = data ? 1. - m / t : m - t;
      const auto p2 = !exact ? 0.5 * p1 : data ? z * detail::phi<2>(-1. * z) : -1. * m * z * detail::phi<2>(z);
      return std::tuple{data ? m / t : t / t, p1 - c * p2, c * p2};
    };
  }

  template <State X, class M>
  void step(const Step<X>& n, X& x, X& m0, M& model, Stages<X>& m) const {
    const auto at = levels(n.from, n.to);
    const auto stage = [&](double r, double c, const X& other, X& output) {
      combine(m.guess, at, weights(r, c, true), x, m0, other);
      map_level<X>(
          m.mid,
          [r](const auto& t, const auto& s) {
            using std::pow;
            return t * pow(s / t, r);
          },
          n.from, n.to);
      model(m.guess, m.mid, output);
    };
    if (order == 1) return combine(x, at, weights(1, 0, true), x, m0, m0);
    stage(r1, 0, m0, m.output_1);
    if (order == 2) return combine(x, at, weights(1, 1 / r1, false), x, m0, m.output_1);
    stage(r2, r2 / r1, m.output_1, m.output_2);
    combine(x, at, weights(1, 1 / r2, true), x, m0, m.output_2);
  }
};

}  // namespace fewstep
