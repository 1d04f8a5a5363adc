#pragma once

#include "../errors.hpp"
#include "../history.hpp"
#include "../solver.hpp"

#include <cstddef>

namespace fewstep {

/// iPNDM: Adams-Bashforth on dx/dsigma, with the weights for equal steps on every schedule.
///
///   x' = x + (s - t) sum_k b_k d_k,   b = {1}, {3, -1}/2, {23, -16, 5}/12, {55, -59, 37, -9}/24 for orders 1 to 4
///
/// t, s: current and next level; d_k: slopes, newest first.
/// NFE per step: 1. Order: `order` on equal steps, lower on other grids; the first steps have lower orders.
/// Source: Zhang & Chen 2023, arXiv 2204.13902, section 3.3; Liu et al. 2022, arXiv 2202.09778.
struct Ipndm {
  int order = 4;  ///< 1 to 4

  static constexpr bool multistep = true;
  static constexpr Target target = Target::slope;
  static constexpr bool fuses_slope = true;
  static constexpr int evaluations() { return 1; }
  void validate() const { require(order >= 1 && order <= 4, "Ipndm::order", order, "1 to 4"); }
  template <State X>
  History<X> memory(const X& x) const {
    return {x, static_cast<std::size_t>(order - 1)};
  }

  static constexpr auto weights_1 = [](const auto& t, const auto& s) { return Pack{unit, s - t}; };
  static constexpr auto weights_2 = [](const auto& t, const auto& s) {
    const auto h = (s - t) / 2.;
    return Pack{unit, 3. * h, -1. * h};
  };
  static constexpr auto weights_3 = [](const auto& t, const auto& s) {
    const auto h = (s - t) / 12.;
    return Pack{unit, 23. * h, -16. * h, 5. * h};
  };
  static constexpr auto weights_4 = [](const auto& t, const auto& s) {
    const auto h = (s - t) / 24.;
    return Pack{unit, 55. * h, -59. * h, 37. * h, -9. * h};
  };

  template <State X, class M>
  void step(const Step<X>& n, X& x, X& d, M&, History<X>& past) const {
    const auto at = levels(n.from, n.to);
    switch (past.size()) {
      case 0: combine_first(n, x, d, at, weights_1); break;
      case 1: combine_first(n, x, d, at, weights_2, past[0]); break;
      case 2: combine_first(n, x, d, at, weights_3, past[0], past[1]); break;
      default: combine_first(n, x, d, at, weights_4, past[0], past[1], past[2]);
    }
    past.push(d, n);
  }
};

}  // namespace fewstep
