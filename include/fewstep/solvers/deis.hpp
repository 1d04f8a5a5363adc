#pragma once

#include "../errors.hpp"
#include "../history.hpp"
#include "../solver.hpp"
#include "detail/deis_weights.hpp"
#include "detail/unrolled.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <tuple>
#include <utility>

namespace fewstep {

/// Exponential Adams-Bashforth: the polynomial in u(sigma) through the newest outputs d_k or m_k, at levels t_k, is
/// integrated.
///   noise: x' = x + sum_k w_k d_k,          w_k = integral from t to s of L_k(u(sigma)) dsigma
///   data:  x' = (s/t) x + sum_k w_k m_k,    w_k = s times the integral from s to t of L_k(u(sigma)) dsigma / sigma^2
/// L_k: Lagrange's polynomials. In sigma this is Adams-Bashforth for any steps (iPNDM_v, LMS, rhoAB-DEIS), in the time
/// of the process tAB-DEIS, in log sigma multistep DPM-Solver and, on images, DPM-Solver++ and RES, of any order.
/// Evaluations per step: 1.  Order: `order`, to `most`; the first steps use what history there is.  lower_order_final:
/// no step uses a higher order than there are steps left. Source: Zhang & Chen 2023, arXiv 2204.13902, section 3.2;
/// arXiv 2308.02157 (RES); the published integrals of tAB err by 1e-4 (compat::DeisTime), the published iPNDM_v by its
/// coefficients (compat::IpndmV).
template <std::size_t most>
struct DeisUpTo {
  int order = 3;
  Variable variable = Variable::time;
  Target target = Target::slope;
  bool lower_order_final = false;

  static constexpr std::size_t max_order = most;
  static constexpr bool multistep = true;
  static constexpr int evaluations() { return 1; }
  void validate() const {
    require(order >= 1 && order <= static_cast<int>(max_order), "Deis::order", order,
            "1 to " + std::to_string(max_order));
    require(variable != Variable::sigma || target == Target::slope, "Deis::target", "denoised",
            "slope where the variable is sigma");
  }
  template <State X>
  History<X> memory(const X& x) const {
    return {x, static_cast<std::size_t>(order - 1)};
  }

  /// [w_0, w_1, ...] of outputs at the levels `node`, the newest first, for a step from node[0] to s.
  template <class T, std::size_t K>
  std::array<T, K> weights(const T& s, const std::array<T, K>& node) const {
    return detail::deis_weights(variable, target, s, node);
  }

  template <State X, class M>
  void step(const Step<X>& n, X& x, X& d, M&, History<X>& past) const {
    std::size_t k = past.size() + 1;
    if (lower_order_final) k = (std::min)(k, n.count - n.index);
    detail::unrolled<max_order - 1>(k - 1, [&]<std::size_t... I>(std::index_sequence<I...>) {
      const auto with = [&](auto keep) {
        combine(
            x, levels(n.to, n.from, past.level(I)...),
            [&](const auto& s, const auto& t, const auto&... older) {
              return std::tuple_cat(std::tuple{keep(s, t)}, weights(s, std::array{t, older...}));
            },
            x, d, past[I]...);
      };
      if (target == Target::denoised) with([](const auto& s, const auto& t) { return s / t; });
      else with([](const auto&, const auto&) { return unit; });
    });
    past.push(d, n);
  }
};

/// Up to order 5, which few steps never exceed; DeisUpTo<8>{.order = 8} is compiled where it is asked for.
using Deis = DeisUpTo<5>;

}  // namespace fewstep
