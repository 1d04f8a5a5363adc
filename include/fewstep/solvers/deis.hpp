#pragma once

#include "../concepts.hpp"
#include "../errors.hpp"
#include "../history.hpp"
#include "../noise_process.hpp"
#include "dpmpp.hpp"
#include "quadrature.hpp"
#include "unrolled.hpp"
#include "vandermonde.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

namespace fewstep {

/// In which variable u of the noise level a polynomial is drawn through past outputs: sigma, its logarithm, or the time of a
/// variance-preserving process.
enum class Variable { sigma, log_sigma, time };

/// Exponential Adams-Bashforth: the polynomial in u(sigma) through the newest outputs d_k or m_k, at levels t_k, is integrated.
///   noise: x' = x + sum_k w_k d_k,          w_k = integral from t to s of L_k(u(sigma)) dsigma
///   data:  x' = (s/t) x + sum_k w_k m_k,    w_k = s times the integral from s to t of L_k(u(sigma)) dsigma / sigma^2
/// L_k: Lagrange's polynomials. In sigma this is Adams-Bashforth for any steps (iPNDM_v, LMS, rhoAB-DEIS), in the time of the
/// process tAB-DEIS, in log sigma multistep DPM-Solver and, on images, DPM-Solver++ and RES, of any order.
/// Evaluations per step: 1.  Order: `order`, to `most`; the first steps use what history there is.  lower_order_final: no step uses a
/// higher order than there are steps left.
/// Source: Zhang & Chen 2023, arXiv 2204.13902, section 3.2; arXiv 2308.02157 (RES); the published integrals of tAB err by 1e-4
/// (compat::DeisTime), the published iPNDM_v by its coefficients (compat::IpndmV).
template <std::size_t most>
struct DeisUpTo {
  int order = 3;
  Variable variable = Variable::time;
  Form form = Form::noise;
  bool lower_order_final = false;

  static constexpr std::size_t max_order = most;
  Target target() const { return form == Form::data ? Target::denoised : Target::slope; }
  static constexpr int evaluations() { return 1; }
  void validate() const {
    require(order >= 1 && order <= static_cast<int>(max_order), "Deis::order", order, "1 to " + std::to_string(max_order));
    require(variable != Variable::sigma || form == Form::noise, "Deis::form", "data", "noise where the variable is sigma");
  }
  template <State X>
  History<X> memory(const X& x) const { return {x, static_cast<std::size_t>(order - 1)}; }

  /// [w_0, w_1, ...] of outputs at the levels `node`, the newest first, for a step from node[0] to s.
  template <class T, std::size_t K>
  std::array<T, K> weights(const T& s, const std::array<T, K>& node) const {
    const T& t = node[0];
    if constexpr (K == 1) {
      return {form == Form::data ? 1. - s / t : s - t};
    } else {
      // Levels as log(sigma/t), where near ones stay apart; in sigma itself as sigma - t.
      const auto u = [&](const T& y) -> T {
        using std::exp;
        return variable == Variable::time ? process().time(T(t * exp(y))) : y;
      };
      std::array<T, K> place;
      for (std::size_t k = 0; k < K; ++k) {
        using std::log;
        place[k] = variable == Variable::sigma ? T(node[k] - t) : u(log(node[k] / t));
      }
      const auto lagrange = [&](const T& at, const T& weight) { return detail::lagrange(place, at, weight); };
      if (variable == Variable::sigma) return detail::integrate<K>(T(s - t), 1, lagrange);
      using std::exp, std::log;
      const T length = log(s / t);
      const auto slope = [&](const T& y, const T& w) { return lagrange(u(y), form == Form::data ? T(-1. * s / t * exp(-1. * y) * w) : T(t * exp(y) * w)); };
      if constexpr (std::is_arithmetic_v<T>) return detail::integrate<K>(length, 1 + static_cast<int>(std::abs(length)), slope);
      else return detail::integrate<K>(length, 12, slope);  // for steps of up to five decades: a tensor's levels are not known here
    }
  }

  template <State X, class M>
  void step(const Step<X>& n, X& x, X& d, M&, History<X>& past) const {
    std::size_t k = past.size() + 1;
    if (lower_order_final) k = (std::min)(k, n.count - n.index);
    detail::unrolled<max_order - 1>(k - 1, [&]<std::size_t... I>(std::index_sequence<I...>) {
      const auto with = [&](auto keep) {
        combine(x, times(n.to, n.from, past.time(I)...), [&](const auto& s, const auto& t, const auto&... older) {
          return std::tuple_cat(std::tuple{keep(s, t)}, weights(s, std::array{t, older...}));
        }, x, d, past[I]...);
      };
      if (form == Form::data) with([](const auto& s, const auto& t) { return s / t; });
      else with([](const auto&, const auto&) { return unit; });
    });
    past.push(d, n);
  }

 private:
  /// The process of the schedule `time_uniform` from 80 to 0.002.
  static const VpLinear& process() {
    static const VpLinear p = VpLinear::through(0.002, 80);
    return p;
  }
};

/// Up to order 5, which few steps never exceed; DeisUpTo<8>{.order = 8} is compiled where it is asked for.
using Deis = DeisUpTo<5>;

}  // namespace fewstep
