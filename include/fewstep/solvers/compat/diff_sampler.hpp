// Mistakes of diff-sampler, the code of the AMED paper (arXiv 2312.00094).
#pragma once

#include "../../processes/vp_linear.hpp"
#include "../../schedules/discrete.hpp"
#include "../deis.hpp"
#include "../detail/vandermonde.hpp"
#include "../unipc.hpp"

#include <array>
#include <cmath>
#include <cstddef>
#include <tuple>
#include <vector>

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

/// UniPC as published.
///
/// The mistake: a run with fewer steps than the order corrects its last state too, at the cost of one evaluation.
/// NFE per step: 1; in the last step of such a run 2.
/// Source: diff-sampler, solvers.py, unipc_sampler.
struct UniPc {
  fewstep::UniPc solver{};

  template <State X>
  struct Memory {
    fewstep::UniPc::Memory<X> inner;
    X end_output;
    void detach() { inner.detach(); }
  };

  Target target() const { return target_of(solver); }
  bool multistep() const { return is_multistep(solver); }
  static constexpr int evaluations() { return 2; }
  int evaluations(StepCount& at) const {
    ++at.kept;
    return at.steps_left == 1 && at.kept < static_cast<std::size_t>(solver.order) ? 2 : 1;
  }
  void validate() const { solver.validate(); }
  template <State X>
  Memory<X> memory(const X& x) const {
    return {solver.memory(x), algebra<X>::like(x)};
  }

  template <State X, class M>
  void step(const Step<X>& n, X& x, X& m, M& model, Memory<X>& memory) const {
    solver.step(n, x, m, model, memory.inner);
    if (n.index + 1 < n.count || n.count >= static_cast<std::size_t>(solver.order)) return;
    model(x, n.to, memory.end_output);
    solver.correct(Step<X>{n.to, n.to, n.count, n.count}, x, memory.end_output, memory.inner);
  }
};

/// The "discrete" schedule as published.
///
/// The mistake: the first time lacks the power 1/rho, so for rho other than 1 the schedule does not start at sigma_max.
/// Source: diff-sampler, solver_utils.py, get_schedule.
inline Schedule discrete(const NoiseTable& table, const DiscreteOptions& o) {
  const double first = table.time(o.sigma_max), last = std::pow(table.time(o.sigma_min), 1 / o.rho);
  std::vector<double> levels;
  for (int i = 0; i <= o.steps; ++i)
    levels.push_back(table.sigma(std::pow(first + static_cast<double>(i) / o.steps * (last - first), o.rho)));
  return Schedule(levels);
}

}  // namespace fewstep::compat
