#pragma once

#include "../errors.hpp"
#include "../history.hpp"
#include "../solver.hpp"
#include "detail/deis_weights.hpp"
#include "detail/unrolled.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>
#include <tuple>
#include <utility>

namespace fewstep {

/// The function u(sigma) of the noise level in which Deis interpolates. `time` is that of the linear
/// variance-preserving process with sigma(1) = 80 and sigma(0.001) = 0.002.
enum class Variable { sigma, log_sigma, time };
constexpr std::array<std::string_view, 3> names_of(Variable) { return {"sigma", "log_sigma", "time"}; }

/// Exponential Adams-Bashforth: integrates the polynomial in u(sigma) through the newest model outputs.
///
///   slope:      x' = x + sum_k w_k d_k,         w_k = integral from t to s of L_k(u(sigma)) dsigma
///   denoised:   x' = (s/t) x + sum_k w_k m_k,   w_k = s integral from s to t of L_k(u(sigma)) dsigma/sigma^2
///
/// t, s: current and next level; d_k, m_k: outputs, newest first; L_k: their Lagrange polynomials.
/// With Variable::sigma this is variable-step Adams-Bashforth (iPNDM_v, LMS, rhoAB-DEIS), with time tAB-DEIS, with
/// log_sigma multistep DPM-Solver, or DPM-Solver++ and RES with Target::denoised.
/// NFE per step: 1. Order: `order`, at most max_order; the first steps have lower orders.
/// Source: Zhang & Chen 2023, arXiv 2204.13902, section 3.2; RES: arXiv 2308.02157. The published integrals of tAB-DEIS
/// have errors of 1e-4 (compat::DeisTime); the published iPNDM_v has wrong coefficients (compat::IpndmV).
template <std::size_t highest_order>
struct DeisUpTo {
  int order = 3;                       ///< 1 to max_order
  Variable variable = Variable::time;  ///< sigma requires Target::slope
  Target target = Target::slope;
  bool lower_order_final = false;  ///< true: the order of a step is at most the number of remaining steps

  /// Variable::sigma only: a step to level 0 extrapolates too, as in LMS of k-diffusion and diffusers, instead of
  /// taking the denoised batch.
  bool reaches_zero = false;

  static constexpr std::size_t max_order = highest_order;
  static constexpr bool multistep = true, fuses_slope = true;
  static constexpr int evaluations() { return 1; }
  void validate() const {
    require(order >= 1 && order <= static_cast<int>(max_order), "Deis::order", order, {"1 to ", max_order});
    require(variable != Variable::sigma || target == Target::slope, "Deis::target", "denoised",
            "slope where the variable is sigma");
    require(variable == Variable::sigma || !reaches_zero, "Deis::reaches_zero", true,
            "false unless the variable is sigma");
  }
  template <State X>
  History<X> memory(const X& x) const {
    return {x, static_cast<std::size_t>(order - 1)};
  }

  /// Returns the weights [w_0, w_1, ...] of a step from nodes[0] to s.
  /// @param s      next level
  /// @param nodes  levels of the outputs, newest first
  template <class T, std::size_t K>
  std::array<T, K> weights(const T& s, const std::array<T, K>& nodes) const {
    if constexpr (K == 1) {
      return detail::deis_weights_1(target, s, nodes[0]);
    } else {
      switch (variable) {
        case Variable::sigma: return detail::deis_weights_in_sigma(s, nodes);
        case Variable::log_sigma: return detail::deis_weights_in_log_sigma(target, s, nodes);
        default: return detail::deis_weights_in_time(target, s, nodes);
      }
    }
  }

  template <State X, class M>
  void step(const Step<X>& n, X& x, X& output, M&, History<X>& past) const {
    std::size_t k = past.size() + 1;
    if (lower_order_final) k = (std::min)(k, n.count - n.index);
    const auto combine_with = [&](auto carry_of) {
      detail::unrolled<max_order - 1>(k - 1, [&]<std::size_t... I>(std::index_sequence<I...>) {
        const auto step_weights = [&](const auto& s, const auto& t, const auto&... older) {
          return std::tuple_cat(std::tuple{carry_of(s, t)}, weights(s, std::array{t, older...}));
        };
        combine_first(n, x, output, levels(n.to, n.from, past.level(I)...), step_weights, past[I]...);
      });
    };
    if (target == Target::denoised) combine_with([](const auto& s, const auto& t) { return s / t; });
    else combine_with([](const auto&, const auto&) { return unit; });
    past.push(output, n);
  }
};

/// Deis of orders 1 to 5. For a higher order name the largest one, e.g. DeisUpTo<8>{.order = 8}.
using Deis = DeisUpTo<5>;

}  // namespace fewstep
