#pragma once

#include "../deis.hpp"

#include <cstddef>
#include <tuple>

namespace fewstep::compat {

/// The published iPNDM_v, whose orders 3 and 4 are not Adams-Bashforth's: a misplaced parenthesis in the second difference's weight,
/// a sign and a step ratio in the third's. Orders 1 and 2 are those of fewstep::Deis in sigma.
/// Source: diff-sampler, solvers.py, ipndm_v_sampler.
struct IpndmV {
  int order = 4;

  static constexpr Target target() { return Target::slope; }
  static constexpr int evaluations() { return 1; }
  void validate() const { require(order >= 1 && order <= 4, "IpndmV::order", order, "1 to 4"); }
  template <State X>
  History<X> memory(const X& x) const { return {x, static_cast<std::size_t>(order - 1)}; }

  template <State X, class M>
  void step(const Step<X>& n, X& x, X& d, M& model, History<X>& past) const {
    if (past.size() < 2) return Deis{order, Variable::sigma}.step(n, x, d, model, past);
    const auto t1 = [](const auto& h, const auto& h1, const auto& h2) {
      return (1. - h / (3. * (h + h1)) * (h * (h + h1) / (h1 * (h1 + h2)))) / 2.;
    };
    if (past.size() == 2)
      combine(x, times(past.time(1), past.time(0), n.from, n.to), [&](const auto& q, const auto& p, const auto& t, const auto& s) {
        const auto h = s - t, h1 = t - p, h2 = p - q, a = t1(h, h1, h2);
        return std::tuple{unit, h * (1. + h / (2. * h1) + a), -1. * h * (h / (2. * h1) + (1. + h1 / h2) * a), h * (a * h1 / h2)};
      }, x, d, past[0], past[1]);
    else
      combine(x, times(past.time(2), past.time(1), past.time(0), n.from, n.to), [&](const auto& o, const auto& q, const auto& p, const auto& t, const auto& s) {
        const auto h = s - t, h1 = t - p, h2 = p - q, h3 = q - o, a = t1(h, h1, h2), k = h1 * (h1 + h2) / (h2 * (h2 + h3));
        const auto b = ((1. - h / (3. * (h + h1))) / 2. + (1. - h / (2. * (h + h1))) * h / (6. * (h + h1 + h2))) * h * (h + h1) * (h + h1 + h2) /
                       (h1 * (h1 + h2) * (h1 + h2 + h3));
        return std::tuple{unit, h * (1. + h / (2. * h1) + a + b), -1. * h * (h / (2. * h1) + (1. + h1 / h2) * a + (1. + h1 / h2 + k) * b),
                          h * (a * h1 / h2 + (h1 / h2 + k * (1. + h2 / h3)) * b), -1. * h * b * k * h1 / h2};
      }, x, d, past[0], past[1], past[2]);
    past.push(d, n);
  }
};

}  // namespace fewstep::compat
