#pragma once

#include "../../../errors.hpp"
#include "../../../history.hpp"
#include "../../../solver.hpp"
#include "../../deis.hpp"
#include "../../dpmpp.hpp"
#include "../dpm_solver.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <tuple>
#include <vector>

namespace fewstep::compat {

/// Multistep DPM-Solver++ (denoised) and DPM-Solver (slope) with the orders that diffusers gives to each step.
///
/// Orders 1 and 2 are those of fewstep::Dpmpp, or for `heun` the second order of fewstep::Deis in log(sigma). Order 3
/// is the published one (compat::Dpmpp). NFE per step: 1. Source: diffusers, scheduling_dpmsolver_multistep.py.
struct MultistepDpm {
  std::vector<int> orders;  ///< 1 to 3, one per step; a step has at most one more than the outputs in its history
  Target target = Target::denoised;
  bool heun = false;  ///< diffusers' solver_type

  static constexpr bool multistep = true;
  static constexpr int evaluations() { return 1; }
  void validate() const {
    require(!orders.empty(), "the number of MultistepDpm::orders", 0, "one per step");
    for (const int order : orders) require(order >= 1 && order <= 3, "MultistepDpm::orders", order, "1 to 3");
  }
  template <State X>
  History<X> memory(const X& x) const {
    return {x, static_cast<std::size_t>(*std::max_element(orders.begin(), orders.end())) - 1};
  }

  /// The weights of the second order of `heun`; p, t, s: levels of the output before, the current and the next one.
  auto heun_weights() const {
    return [target = target](const auto& p, const auto& t, const auto& s) {
      const auto outputs = fewstep::detail::deis_weights_in_log_sigma(target, s, std::array{t, p});
      return std::tuple_cat(std::tuple{carry(target, t, s)}, outputs);
    };
  }

  template <State X, class M>
  void step(const Step<X>& n, X& x, X& m, M&, History<X>& past) const {
    const auto wanted = static_cast<std::size_t>(orders.at(n.index));
    const bool denoised = target == Target::denoised;
    using D = fewstep::Dpmpp;
    const auto second = [&](const auto& weights) {
      combine(x, levels(past.level(0), n.from, n.to), weights, x, m, past[0]);
    };
    switch ((std::min)(wanted, past.size() + 1)) {
      case 1:
        if (denoised) combine(x, levels(n.from, n.to), D::denoised_weights_1, x, m);
        else combine(x, levels(n.from, n.to), D::slope_weights_1, x, m);
        break;
      case 2:
        if (heun) second(heun_weights());
        else if (denoised) second(D::denoised_weights_2);
        else second(D::slope_weights_2);
        break;
      default:
        combine(x, levels(past.level(1), past.level(0), n.from, n.to), Dpmpp::published_weights_3(target), x, m,
                past[0], past[1]);
    }
    past.push(m, n);
  }
};

}  // namespace fewstep::compat
