#pragma once

#include "../errors.hpp"
#include "../history.hpp"
#include "../solver.hpp"
#include "detail/phi.hpp"

#include <algorithm>
#include <cmath>
#include <tuple>

namespace fewstep {

/// Exponential multistep solver: DPM-Solver++ in data form, multistep DPM-Solver in noise form. With m0, m1, m2 the
/// newest model outputs, h = log(t/s) and r0, r1 the two earlier steps of log sigma over h,
///   x' = a x + p1 m0 + p2 E1 + 2 p3 E2,   E1 = D + r0/(r0+r1) (D - D'),   E2 = (D - D')/(r0+r1),
///   D = (m0 - m1)/r0,   D' = (m1 - m2)/r1,
///   data: a = s/t, p_k = h phi_k(-h);   noise: a = 1, p_k = -s h phi_k(h).
/// Order 1 keeps p1 alone; order 2 takes E1 = D with the weight p1/2. The published code has p3 E2, although E2 is but
/// half the second derivative, and is of second order (compat::Dpmpp). Evaluations per step: 1.  Order: `order`; the
/// first steps use what history there is.  lower_order_final: once at full order, no step uses a higher order than
/// there are steps left. Source: Lu et al. 2022, arXiv 2211.01095, algorithm 2 and appendix B; arXiv 2206.00927 (noise
/// form).
struct Dpmpp {
  int order = 2;
  Target target = Target::denoised;
  bool lower_order_final = true;
  static constexpr bool multistep = true;
  static constexpr int evaluations() { return 1; }
  void validate() const { require(order >= 1 && order <= 3, "Dpmpp::order", order, "1 to 3"); }
  template <State X>
  History<X> memory(const X& x) const {
    return {x, static_cast<std::size_t>(order - 1)};
  }

  static constexpr auto data_1 = [](const auto& t, const auto& s) { return std::tuple{s / t, 1. - s / t}; };
  static constexpr auto noise_1 = [](const auto& t, const auto& s) { return std::tuple{unit, s - t}; };

  static constexpr auto data_2 = [](const auto& p, const auto& t, const auto& s) {
    using std::log;
    const auto gain = 1. - s / t;
    const auto k = 0.5 * log(t / s) / log(p / t);
    return std::tuple{s / t, gain * (1. + k), -1. * gain * k};
  };
  static constexpr auto noise_2 = [](const auto& p, const auto& t, const auto& s) {
    using std::log;
    const auto k = 0.5 * log(t / s) / log(p / t);
    return std::tuple{unit, (s - t) * (1. + k), (t - s) * k};
  };

  /// The weights of m0, m1, m2 in p1 m0 + p2 E1 + c p3 E2, where p_k = gain phi_k(z).
  static constexpr auto spread = [](double c, const auto& gain, const auto& z, const auto& r0, const auto& r1) {
    using detail::phi;
    const auto p2 = gain * phi<2>(z);
    const auto tilt = (p2 * r0 + c * gain * phi<3>(z)) / (r0 + r1);  // of D - D'
    const auto on_d = (p2 + tilt) / r0, on_older = tilt / r1;
    return std::tuple{gain * phi<1>(z) + on_d, -1. * on_d - on_older, on_older};
  };
  static constexpr auto data_3 = [](const auto& q, const auto& p, const auto& t, const auto& s) {
    using std::log;
    const auto h = log(t / s);
    const auto [w0, w1, w2] = spread(2., h, -1. * h, log(p / t) / h, log(q / p) / h);
    return std::tuple{s / t, w0, w1, w2};
  };
  static constexpr auto noise_3 = [](const auto& q, const auto& p, const auto& t, const auto& s) {
    using std::log;
    const auto h = log(t / s);
    const auto [w0, w1, w2] = spread(2., -1. * s * h, h, log(p / t) / h, log(q / p) / h);
    return std::tuple{unit, w0, w1, w2};
  };

  template <State X, class M>
  void step(const Step<X>& n, X& x, X& m, M&, History<X>& past) const {
    if (target == Target::denoised) update(order_of(n, past), n, x, m, past, data_1, data_2, data_3);
    else update(order_of(n, past), n, x, m, past, noise_1, noise_2, noise_3);
    past.push(m, n);
  }

  template <State X>
  std::size_t order_of(const Step<X>& n, const History<X>& past) const {
    const std::size_t k = past.size() + 1;
    const bool lowered = lower_order_final && k == static_cast<std::size_t>(order);
    return lowered ? (std::min)(k, n.count - n.index) : k;
  }

 private:
  template <State X>
  static void update(std::size_t k, const Step<X>& n, X& x, const X& m, const History<X>& past, auto w1, auto w2,
                     auto w3) {
    switch (k) {
      case 1: combine(x, levels(n.from, n.to), w1, x, m); break;
      case 2: combine(x, levels(past.level(0), n.from, n.to), w2, x, m, past[0]); break;
      default: combine(x, levels(past.level(1), past.level(0), n.from, n.to), w3, x, m, past[0], past[1]);
    }
  }
};

}  // namespace fewstep
