#pragma once

#include "../errors.hpp"
#include "../history.hpp"
#include "../solver.hpp"
#include "detail/phi.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <tuple>

namespace fewstep {

/// Exponential multistep solver: DPM-Solver++ on denoised images, multistep DPM-Solver on slopes.
///
///   order 1: x' = a x + p1 m0,   order 2: x' = a x + p1 (m0 + e0/2),   order 3: x' = a x + p1 m0 + p2 E1 + 2 p3 E2,
///   e0 = (m0 - m1)/r0,   e1 = (m1 - m2)/r1,   E1 = e0 + r0/(r0 + r1) (e0 - e1),   E2 = (e0 - e1)/(r0 + r1),
///   denoised: a = s/t, p_k = h phi_k(-h),   slope: a = 1, p_k = -s h phi_k(h)
///
/// t, s: current and next level; m_k: model outputs, newest first; h = log(t/s); r0, r1: the two previous steps of
/// log(sigma), divided by h. The published third order has p3 E2 in place of 2 p3 E2 and is of second order only
/// (compat::Dpmpp).
/// NFE per step: 1. Order: `order`; the first steps have lower orders.
/// Source: Lu et al. 2022, arXiv 2211.01095, algorithm 2 and appendix B; slopes: arXiv 2206.00927.
struct Dpmpp {
  int order = 2;  ///< 1 to 3
  Target target = Target::denoised;
  /// true: once the full order is reached, the order of a step is at most the number of remaining steps
  bool lower_order_final = true;

  static constexpr bool multistep = true;
  static constexpr int evaluations() { return 1; }
  void validate() const { require(order >= 1 && order <= 3, "Dpmpp::order", order, "1 to 3"); }
  template <State X>
  History<X> memory(const X& x) const {
    return {x, static_cast<std::size_t>(order - 1)};
  }

  // The weights of x, m0, m1, m2, by target and order. p, q: levels of m1, m2.
  static constexpr auto denoised_weights_1 = [](const auto& t, const auto& s) { return Pack{s / t, 1. - s / t}; };
  static constexpr auto slope_weights_1 = [](const auto& t, const auto& s) { return Pack{unit, s - t}; };

  static constexpr auto denoised_weights_2 = [](const auto& p, const auto& t, const auto& s) {
    using std::log;
    const auto p1 = 1. - s / t;
    const auto half_over_r0 = 0.5 * log(t / s) / log(p / t);
    return Pack{s / t, p1 * (1. + half_over_r0), -1. * p1 * half_over_r0};
  };
  static constexpr auto slope_weights_2 = [](const auto& p, const auto& t, const auto& s) {
    using std::log;
    const auto half_over_r0 = 0.5 * log(t / s) / log(p / t);
    return Pack{unit, (s - t) * (1. + half_over_r0), (t - s) * half_over_r0};
  };

  /// The weights of m0, m1, m2 in p1 m0 + p2 E1 + c p3 E2, with p_k = g phi_k(z).
  static constexpr auto output_weights_3 = [](double c, const auto& g, const auto& z, const auto& r0, const auto& r1) {
    using detail::phi;
    const auto p2 = g * phi<2>(z);
    const auto w_change = (p2 * r0 + c * g * phi<3>(z)) / (r0 + r1);  // the weight of e0 - e1
    const auto w0 = (p2 + w_change) / r0;                             // of m0 - m1
    const auto w1 = w_change / r1;                                    // of m2 - m1
    return std::tuple{g * phi<1>(z) + w0, -1. * w0 - w1, w1};
  };
  static constexpr auto denoised_weights_3 = [](const auto& q, const auto& p, const auto& t, const auto& s) {
    using std::log;
    const auto h = log(t / s);
    const auto outputs = output_weights_3(2., h, -1. * h, log(p / t) / h, log(q / p) / h);
    return std::tuple_cat(std::tuple{s / t}, outputs);
  };
  static constexpr auto slope_weights_3 = [](const auto& q, const auto& p, const auto& t, const auto& s) {
    using std::log;
    const auto h = log(t / s);
    return std::tuple_cat(std::tuple{unit}, output_weights_3(2., -1. * s * h, h, log(p / t) / h, log(q / p) / h));
  };

  template <State X, class M>
  void step(const Step<X>& n, X& x, X& m, M&, History<X>& past) const {
    const auto update = [&](auto weights_1, auto weights_2, auto weights_3) {
      switch (order_of(n, past)) {
        case 1: combine(x, levels(n.from, n.to), weights_1, x, m); break;
        case 2: combine(x, levels(past.level(0), n.from, n.to), weights_2, x, m, past[0]); break;
        default: combine(x, levels(past.level(1), past.level(0), n.from, n.to), weights_3, x, m, past[0], past[1]);
      }
    };
    if (target == Target::denoised) update(denoised_weights_1, denoised_weights_2, denoised_weights_3);
    else update(slope_weights_1, slope_weights_2, slope_weights_3);
    past.push(m, n);
  }

  /// Returns the order of step n: the number of outputs that it combines.
  template <State X>
  std::size_t order_of(const Step<X>& n, const History<X>& past) const {
    const std::size_t k = past.size() + 1;
    const bool full = k == static_cast<std::size_t>(order);
    return lower_order_final && full ? (std::min)(k, n.count - n.index) : k;
  }
};

}  // namespace fewstep
