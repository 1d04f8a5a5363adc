#pragma once

#include "../../../history.hpp"
#include "../../../solver.hpp"
#include "../../deis.hpp"

#include <array>
#include <tuple>
#include <vector>

namespace fewstep::compat {

/// rhoAB-DEIS of order 4 as published.
///
/// The mistake: every step after the fourth has the weights of the fourth.
/// NFE per step: 1.
/// Source: diff-sampler, solver_utils.py, get_deis_coeff_list with deis_mode = rhoab.
struct DeisStale {
  template <State X>
  struct Memory {
    History<X> past;
    std::vector<Level<X>> fourth_step;  // its end, its start, and the three levels before, newest first
    void detach() {
      past.detach();
      for (Level<X>& t : fourth_step) algebra<X>::detach(t);
    }
  };
  static constexpr Deis solver{.order = 4, .variable = Variable::sigma};

  static constexpr bool multistep = true;
  static constexpr Target target = Target::slope;
  static constexpr int evaluations() { return 1; }
  template <State X>
  Memory<X> memory(const X& x) const {
    return {solver.memory(x), {}};
  }

  template <State X, class M>
  void step(const Step<X>& n, X& x, X& d, M& model, Memory<X>& m) const {
    if (m.past.size() < 3) return solver.step(n, x, d, model, m.past);
    if (m.fourth_step.empty()) m.fourth_step = {n.to, n.from, m.past.level(0), m.past.level(1), m.past.level(2)};
    const auto weights = [](const auto& s, const auto&... nodes) {
      return std::tuple_cat(std::tuple{unit}, solver.weights(s, std::array{nodes...}));
    };
    const auto& f = m.fourth_step;
    combine(x, levels(f[0], f[1], f[2], f[3], f[4]), weights, x, d, m.past[0], m.past[1], m.past[2]);
    m.past.push(d, n);
  }
};

}  // namespace fewstep::compat
