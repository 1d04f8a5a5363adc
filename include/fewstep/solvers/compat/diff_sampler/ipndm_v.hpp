#pragma once

#include "../../../errors.hpp"
#include "../../../history.hpp"
#include "../../../solver.hpp"
#include "../../deis.hpp"

#include <cstddef>

namespace fewstep::compat {

/// iPNDM_v with its published coefficients.
///
/// The mistakes: orders 3 and 4 are not Adams-Bashforth's, because of a misplaced parenthesis in the weight of the
/// second difference, and of a wrong sign and step ratio in that of the third. Orders 1 and 2 are those of
/// fewstep::Deis in sigma. NFE per step: 1. Source: diff-sampler, solvers.py, ipndm_v_sampler.
struct IpndmV {
  int order = 4;  ///< 1 to 4

  static constexpr bool multistep = true;
  static constexpr Target target = Target::slope;
  static constexpr int evaluations() { return 1; }
  void validate() const { require(order >= 1 && order <= 4, "IpndmV::order", order, "1 to 4"); }
  template <State X>
  History<X> memory(const X& x) const {
    return {x, static_cast<std::size_t>(order - 1)};
  }

  template <State X, class M>
  void step(const Step<X>& n, X& x, X& d, M& model, History<X>& past) const {
    if (past.size() < 2) return Deis{order, Variable::sigma}.step(n, x, d, model, past);
    if (past.size() == 2)
      combine(x, levels(past.level(1), past.level(0), n.from, n.to), weights_3, x, d, past[0], past[1]);
    else
      combine(x, levels(past.level(2), past.level(1), past.level(0), n.from, n.to), weights_4, x, d, past[0], past[1],
              past[2]);
    past.push(d, n);
  }

 private:
  // o, q, p: levels of the past outputs, newest last; t, s: current and next level; h, h1, h2, h3: steps, newest first.
  static constexpr auto second_difference = [](const auto& h, const auto& h1, const auto& h2) {
    return (1. - h / (3. * (h + h1)) * (h * (h + h1) / (h1 * (h1 + h2)))) / 2.;
  };
  static constexpr auto weights_3 = [](const auto& q, const auto& p, const auto& t, const auto& s) {
    const auto h = s - t, h1 = t - p, h2 = p - q, a = second_difference(h, h1, h2);
    return Pack{unit, h * (1. + h / (2. * h1) + a), -1. * h * (h / (2. * h1) + (1. + h1 / h2) * a), h * (a * h1 / h2)};
  };
  static constexpr auto weights_4 = [](const auto& o, const auto& q, const auto& p, const auto& t, const auto& s) {
    const auto h = s - t, h1 = t - p, h2 = p - q, h3 = q - o, a = second_difference(h, h1, h2);
    const auto k = h1 * (h1 + h2) / (h2 * (h2 + h3));
    const auto b = ((1. - h / (3. * (h + h1))) / 2. + (1. - h / (2. * (h + h1))) * h / (6. * (h + h1 + h2))) * h *
                   (h + h1) * (h + h1 + h2) / (h1 * (h1 + h2) * (h1 + h2 + h3));
    return Pack{unit, h * (1. + h / (2. * h1) + a + b),
                -1. * h * (h / (2. * h1) + (1. + h1 / h2) * a + (1. + h1 / h2 + k) * b),
                h * (a * h1 / h2 + (h1 / h2 + k * (1. + h2 / h3)) * b), -1. * h * b * k * h1 / h2};
  };
};

}  // namespace fewstep::compat
