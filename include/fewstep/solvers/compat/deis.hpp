#pragma once

#include "../../processes/noise_process.hpp"
#include "../deis.hpp"
#include "../detail/vandermonde.hpp"

#include <array>
#include <cstddef>
#include <tuple>
#include <vector>

namespace fewstep::compat {

/// tAB-DEIS with its published integrals: the sum over 10,000 points of the step, both ends counted whole, which errs by 1e-4.
/// Source: diff-sampler, solver_utils.py, get_deis_coeff_list.
struct DeisTime {
  int order = 3;

  static constexpr Target target() { return Target::slope; }
  static constexpr int evaluations() { return 1; }
  void validate() const { require(order >= 1 && order <= 4, "DeisTime::order", order, "1 to 4"); }
  template <State X>
  History<X> memory(const X& x) const { return {x, static_cast<std::size_t>(order - 1)}; }

  template <State X, class M>
  void step(const Step<X>& n, X& x, X& d, M&, History<X>& past) const {
    switch (past.size()) {
      case 0: combine(x, times(n.to, n.from), [](const auto& s, const auto& t) { return std::tuple{unit, s - t}; }, x, d); break;
      case 1: combine(x, times(n.to, n.from, past.time(0)), sum, x, d, past[0]); break;
      case 2: combine(x, times(n.to, n.from, past.time(0), past.time(1)), sum, x, d, past[0], past[1]); break;
      default: combine(x, times(n.to, n.from, past.time(0), past.time(1), past.time(2)), sum, x, d, past[0], past[1], past[2]);
    }
    past.push(d, n);
  }

 private:
  static constexpr auto sum = [](const auto& s, const auto&... node) {
    const VpLinear process = VpLinear::through(0.002, 80);
    constexpr int points = 10'000;
    const std::array u{process.time(node)...};
    const auto end = process.time(s), part = (end - u[0]) / points;
    std::array w{(0. * node)...};
    for (int i = 0; i < points; ++i) {
      const auto at = u[0] + (end - u[0]) * (static_cast<double>(i) / (points - 1));
      const auto slope = (process.beta_max - process.beta_min) * at + process.beta_min;
      const auto sigma = process.sigma(at);
      const auto part_of = detail::lagrange(u, at, 0.5 * slope * (sigma * sigma + 1.) / sigma * part);  // times dsigma
      for (std::size_t k = 0; k < w.size(); ++k) w[k] = w[k] + part_of[k];
    }
    return std::tuple_cat(std::tuple{unit}, w);
  };
};

/// rhoAB-DEIS of order 4 as published, which weighs every step after the fourth as the fourth.
/// Source: as DeisTime, with deis_mode = rhoab.
struct DeisStale {
  template <State X>
  struct Memory {
    History<X> past;
    std::vector<Time<X>> stale;  // levels of the fourth step: where it ends, where it starts, and those before
    void detach() {
      past.detach();
      for (Time<X>& t : stale) algebra<X>::detach(t);
    }
  };
  static constexpr Deis fresh{.order = 4, .variable = Variable::sigma};

  static constexpr Target target() { return Target::slope; }
  static constexpr int evaluations() { return 1; }
  template <State X>
  Memory<X> memory(const X& x) const { return {fresh.memory(x), {}}; }

  template <State X, class M>
  void step(const Step<X>& n, X& x, X& d, M& model, Memory<X>& m) const {
    if (m.past.size() < 3) return fresh.step(n, x, d, model, m.past);
    if (m.stale.empty()) m.stale = {n.to, n.from, m.past.time(0), m.past.time(1), m.past.time(2)};
    const auto& l = m.stale;
    combine(x, times(l[0], l[1], l[2], l[3], l[4]), [](const auto& s, const auto&... node) {
      return std::tuple_cat(std::tuple{unit}, fresh.weights(s, std::array{node...}));
    }, x, d, m.past[0], m.past[1], m.past[2]);
    m.past.push(d, n);
  }
};

}  // namespace fewstep::compat
