#pragma once

#include "../../../errors.hpp"
#include "../../../history.hpp"
#include "../../../solver.hpp"
#include "../../detail/phi.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace fewstep::compat {

/// Single-step DPM-Solver++ (denoised) and DPM-Solver (slope) as diffusers runs it: the stages of a step are levels of
/// the schedule.
///
/// A step of order k starts again from the state of k - 1 steps before, at level b, with the outputs since then:
///
///   order 1: x' = a x + p1 m_b,   order 2: x' = a x_b + p1 m_b + c e0,   order 3: x' = a x_b + p1 m_b + p2 e0,
///   e0 = (m0 - m_b)/r0,   r0 = log(b/t)/h,   h = log(b/s),   c = p1/2, or p2 for `heun`,   p_k = g phi_k(z),
///   denoised: a = s/b, g = h, z = -h,   slope: a = 1, g = -s h, z = h
///
/// `heun` of order 3 takes the parabola through m_b, the output between and m0, with half its second derivative, as in
/// compat::Dpmpp. NFE per step: 1.
/// Source: diffusers, scheduling_dpmsolver_singlestep.py.
struct GroupedSinglestepDpm {
  std::vector<int> orders;  ///< 1 to 3, one per step, e.g. 1, 2, 3, 1, 2, 3
  Target target = Target::denoised;
  bool heun = false;  ///< diffusers' solver_type

  template <State X>
  struct Memory {
    X base;
    History<X> past;
    void detach() {
      algebra<X>::detach(base);
      past.detach();
    }
  };

  static constexpr bool multistep = true;
  static constexpr int evaluations() { return 1; }
  void validate() const {
    require(!orders.empty(), "the number of GroupedSinglestepDpm::orders", 0, "one per step");
    for (const int order : orders) require(order >= 1 && order <= 3, "GroupedSinglestepDpm::orders", order, "1 to 3");
  }
  template <State X>
  Memory<X> memory(const X& x) const {
    return {algebra<X>::like(x), {x, 2}};
  }

  /// p_k of the formula above.
  template <int k, class T>
  static T p(Target target, const T& h, const T& s) {
    const bool denoised = target == Target::denoised;
    return denoised ? h * detail::phi<k>(T(-1. * h)) : -1. * s * h * detail::phi<k>(h);
  }

  /// Of the base and the outputs m0, m_b; b, t, s: levels of the base, m0 and the end.
  auto weights_2() const {
    return [target = target, heun = heun](const auto& b, const auto& t, const auto& s) {
      using std::log;
      const auto h = log(b / s), p1 = p<1>(target, h, s);
      const auto newest = (heun ? p<2>(target, h, s) : 0.5 * p1) / (log(b / t) / h);
      return Pack{carry(target, b, s), newest, p1 - newest};
    };
  }
  /// Of the base and the outputs m0, m1, m_b; u: level of m1.
  auto weights_3() const {
    return [target = target, heun = heun](const auto& b, const auto& u, const auto& t, const auto& s) {
      using std::log;
      const auto h = log(b / s), p1 = p<1>(target, h, s), p2 = p<2>(target, h, s);
      const auto r0 = log(b / t) / h, r1 = log(b / u) / h;
      // The weights of the differences e0 = (m0 - m_b)/r0 and e1 = (m1 - m_b)/r1.
      const auto bend = 2. * p<3>(target, h, s) / (r0 - r1);  // of heun
      const auto e0 = heun ? -1. * p2 * r1 / (r0 - r1) + bend : p2, e1 = heun ? p2 * r0 / (r0 - r1) - bend : 0. * p2;
      return Pack{carry(target, b, s), e0 / r0, e1 / r1, p1 - e0 / r0 - e1 / r1};
    };
  }

  template <State X, class M>
  void step(const Step<X>& n, X& x, X& m0, M&, Memory<X>& m) const {
    const std::size_t order = (std::min)(static_cast<std::size_t>(orders.at(n.index)), m.past.size() + 1);
    if (order == 1) {
      detail::copy(m.base, x);
      const auto weights = [target = target](const auto& t, const auto& s) {
        return Pack{carry(target, t, s), target == Target::denoised ? 1. - s / t : s - t};
      };
      combine(x, levels(n.from, n.to), weights, x, m0);
    } else if (order == 2) {
      combine(x, levels(m.past.level(0), n.from, n.to), weights_2(), m.base, m0, m.past[0]);
    } else {
      combine(x, levels(m.past.level(1), m.past.level(0), n.from, n.to), weights_3(), m.base, m0, m.past[0], m.past[1]);
    }
    m.past.push(m0, n);
  }
};

}  // namespace fewstep::compat
