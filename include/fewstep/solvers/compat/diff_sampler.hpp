// Slips of diff-sampler, the code of the AMED paper.
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

/// tAB-DEIS with its published integrals: the sum over 10,000 points of the step, both ends counted whole, which errs
/// by 1e-4. Source: diff-sampler, solver_utils.py, get_deis_coeff_list.
struct DeisTime {
  int order = 3;

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
    switch (past.size()) {
      case 0:
        combine(x, levels(n.to, n.from), [](const auto& s, const auto& t) { return std::tuple{unit, s - t}; }, x, d);
        break;
      case 1: combine(x, levels(n.to, n.from, past.level(0)), sum, x, d, past[0]); break;
      case 2: combine(x, levels(n.to, n.from, past.level(0), past.level(1)), sum, x, d, past[0], past[1]); break;
      default:
        combine(x, levels(n.to, n.from, past.level(0), past.level(1), past.level(2)), sum, x, d, past[0], past[1],
                past[2]);
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
    std::vector<Level<X>> stale;  // levels of the fourth step: where it ends, where it starts, and those before
    void detach() {
      past.detach();
      for (Level<X>& t : stale) algebra<X>::detach(t);
    }
  };
  static constexpr Deis fresh{.order = 4, .variable = Variable::sigma};

  static constexpr bool multistep = true;
  static constexpr Target target = Target::slope;
  static constexpr int evaluations() { return 1; }
  template <State X>
  Memory<X> memory(const X& x) const {
    return {fresh.memory(x), {}};
  }

  template <State X, class M>
  void step(const Step<X>& n, X& x, X& d, M& model, Memory<X>& m) const {
    if (m.past.size() < 3) return fresh.step(n, x, d, model, m.past);
    if (m.stale.empty()) m.stale = {n.to, n.from, m.past.level(0), m.past.level(1), m.past.level(2)};
    const auto& l = m.stale;
    combine(
        x, levels(l[0], l[1], l[2], l[3], l[4]),
        [](const auto& s, const auto&... node) {
          return std::tuple_cat(std::tuple{unit}, fresh.weights(s, std::array{node...}));
        },
        x, d, m.past[0], m.past[1], m.past[2]);
    m.past.push(d, n);
  }
};

/// The published iPNDM_v, whose orders 3 and 4 are not Adams-Bashforth's: a misplaced parenthesis in the second
/// difference's weight, a sign and a step ratio in the third's. Orders 1 and 2 are those of fewstep::Deis in sigma.
/// Source: diff-sampler, solvers.py, ipndm_v_sampler.
struct IpndmV {
  int order = 4;

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
    const auto t1 = [](const auto& h, const auto& h1, const auto& h2) {
      return (1. - h / (3. * (h + h1)) * (h * (h + h1) / (h1 * (h1 + h2)))) / 2.;
    };
    if (past.size() == 2)
      combine(
          x, levels(past.level(1), past.level(0), n.from, n.to),
          [&](const auto& q, const auto& p, const auto& t, const auto& s) {
            const auto h = s - t, h1 = t - p, h2 = p - q, a = t1(h, h1, h2);
            return std::tuple{unit, h * (1. + h / (2. * h1) + a), -1. * h * (h / (2. * h1) + (1. + h1 / h2) * a),
                              h * (a * h1 / h2)};
          },
          x, d, past[0], past[1]);
    else
      combine(
          x, levels(past.level(2), past.level(1), past.level(0), n.from, n.to),
          [&](const auto& o, const auto& q, const auto& p, const auto& t, const auto& s) {
            const auto h = s - t, h1 = t - p, h2 = p - q, h3 = q - o, a = t1(h, h1, h2),
                       k = h1 * (h1 + h2) / (h2 * (h2 + h3));
            const auto b = ((1. - h / (3. * (h + h1))) / 2. + (1. - h / (2. * (h + h1))) * h / (6. * (h + h1 + h2))) *
                           h * (h + h1) * (h + h1 + h2) / (h1 * (h1 + h2) * (h1 + h2 + h3));
            return std::tuple{unit, h * (1. + h / (2. * h1) + a + b),
                              -1. * h * (h / (2. * h1) + (1. + h1 / h2) * a + (1. + h1 / h2 + k) * b),
                              h * (a * h1 / h2 + (h1 / h2 + k * (1. + h2 / h3)) * b), -1. * h * b * k * h1 / h2};
          },
          x, d, past[0], past[1], past[2]);
    past.push(d, n);
  }
};

/// UniPC as published, which corrects the last state too, at one more evaluation, where the run has fewer steps than
/// its order. Source: diff-sampler, solvers.py, unipc_sampler.
struct UniPc {
  fewstep::UniPc solver{};

  template <State X>
  struct Memory {
    fewstep::UniPc::Memory<X> inner;
    X last;
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
    model(x, n.to, memory.last);
    solver.correct(Step<X>{n.to, n.to, n.count, n.count}, x, memory.last, memory.inner);
  }
};

/// The published "discrete" schedule, which forgets the power 1/rho of the first time: for rho != 1 it does not start
/// at sigma_max. Source: diff-sampler, solver_utils.py, get_schedule.
inline Schedule discrete(const NoiseTable& table, const DiscreteOptions& o) {
  const double first = table.time(o.sigma_max), last = std::pow(table.time(o.sigma_min), 1 / o.rho);
  std::vector<double> levels;
  for (int i = 0; i <= o.steps; ++i)
    levels.push_back(table.sigma(std::pow(first + static_cast<double>(i) / o.steps * (last - first), o.rho)));
  return Schedule(levels);
}

}  // namespace fewstep::compat
