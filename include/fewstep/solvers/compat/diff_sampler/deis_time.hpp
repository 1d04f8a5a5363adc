#pragma once

#include "../../../errors.hpp"
#include "../../../history.hpp"
#include "../../../processes/vp_linear.hpp"
#include "../../../solver.hpp"
#include "../../detail/vandermonde.hpp"

#include <array>
#include <cstddef>
#include <tuple>

namespace fewstep::compat {

/// tAB-DEIS with its published integrals.
///
/// The mistake: an integral is the sum over 10,000 points that include both ends of the step at full weight, times
/// 1/10,000 of the step's length, which has errors of 1e-4.
/// NFE per step: 1.
/// Source: diff-sampler, solver_utils.py, get_deis_coeff_list.
struct DeisTime {
  int order = 3;  ///< 1 to 4

  static constexpr bool multistep = true;
  static constexpr Target target = Target::slope;
  static constexpr int evaluations() { return 1; }
  void validate() const { require(order >= 1 && order <= 4, "DeisTime::order", order, "1 to 4"); }
  template <State X>
  History<X> memory(const X& x) const {
    return {x, static_cast<std::size_t>(order - 1)};
  }

  template <State X, class M>
  void step(const Step<X>& n, X& x, X& d, M&, History<X>& past) const {
    const auto euler = [](const auto& s, const auto& t) { return Pack{unit, s - t}; };
    const auto at = [&](const auto&... older) { return levels(n.to, n.from, older...); };
    switch (past.size()) {
      case 0: combine(x, at(), euler, x, d); break;
      case 1: combine(x, at(past.level(0)), weights, x, d, past[0]); break;
      case 2: combine(x, at(past.level(0), past.level(1)), weights, x, d, past[0], past[1]); break;
      default: combine(x, at(past.level(0), past.level(1), past.level(2)), weights, x, d, past[0], past[1], past[2]);
    }
    past.push(d, n);
  }

 private:
  static constexpr auto weights = [](const auto& s, const auto&... nodes) {
    const VpLinear process = VpLinear::through(0.002, 80);
    constexpr int points = 10'000;
    const std::array times{process.time(nodes)...};
    const auto end = process.time(s), spacing = (end - times[0]) / points;
    std::array w{(0. * nodes)...};
    for (int i = 0; i < points; ++i) {
      const auto t = times[0] + (end - times[0]) * (static_cast<double>(i) / (points - 1));
      const auto beta = (process.beta_max - process.beta_min) * t + process.beta_min;
      const auto sigma = process.sigma(t);
      const auto dsigma = 0.5 * beta * (sigma * sigma + 1.) / sigma * spacing;
      const auto terms = detail::lagrange(times, t, dsigma);
      for (std::size_t k = 0; k < w.size(); ++k) w[k] = w[k] + terms[k];
    }
    return std::tuple_cat(std::tuple{unit}, w);
  };
};

}  // namespace fewstep::compat
