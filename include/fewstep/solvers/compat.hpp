// What only exists to reproduce slips of published code. Nothing else in the library refers to this file, and the laws do
// not hold here.
#pragma once

#include "../noise_table.hpp"
#include "deis.hpp"
#include "dpmpp.hpp"
#include "unipc.hpp"
#include "vandermonde.hpp"

#include <array>
#include <cmath>
#include <cstddef>
#include <tuple>
#include <vector>

namespace fewstep::compat {

/// The published "discrete" schedule, which forgets the power 1/rho of the first time: for rho != 1 it does not start at
/// sigma_max. Source: diff-sampler, solver_utils.py, get_schedule.
inline Schedule discrete(const NoiseTable& table, const DiscreteOptions& o) {
  const double first = table.time(o.sigma_max), last = std::pow(table.time(o.sigma_min), 1 / o.rho);
  std::vector<double> levels;
  for (int i = 0; i <= o.steps; ++i)
    levels.push_back(table.sigma(std::pow(first + static_cast<double>(i) / o.steps * (last - first), o.rho)));
  return Schedule(levels);
}

/// Multistep DPM-Solver++ and DPM-Solver whose third order takes half the second derivative that it should, and so is of
/// second order; orders 1 and 2 are those of fewstep::Dpmpp.
/// Source: dpm_solver_pytorch.py, multistep_dpm_solver_third_update (its single-step method has the factor 2); copied into
/// diffusers, k-diffusion (dpmpp_3m_sde) and diff-sampler.
struct Dpmpp {
  fewstep::Dpmpp solver{};

  Target target() const { return solver.target(); }
  static constexpr int evaluations() { return 1; }
  void validate() const { solver.validate(); }
  template <State X>
  History<X> memory(const X& x) const { return solver.memory(x); }

  template <State X, class M>
  void step(const Step<X>& n, X& x, X& m, M& model, History<X>& past) const {
    if (solver.order_of(n, past) < 3) return solver.step(n, x, m, model, past);
    const bool data = solver.form == Form::data;
    combine(x, times(past.time(1), past.time(0), n.from, n.to), [data](const auto& q, const auto& p, const auto& t, const auto& s) {
      using std::log;
      const auto h = log(t / s), r0 = log(p / t) / h, r1 = log(q / p) / h;
      const auto [w0, w1, w2] = data ? fewstep::Dpmpp::spread(1., h, -1. * h, r0, r1) : fewstep::Dpmpp::spread(1., -1. * s * h, h, r0, r1);
      return std::tuple{data ? s / t : t / t, w0, w1, w2};
    }, x, m, past[0], past[1]);
    past.push(m, n);
  }
};

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
    std::array<double, 5> levels{};  // of the fourth step, where it ends first
    void detach() { past.detach(); }
  };
  static constexpr Deis fresh{.order = 4, .variable = Variable::sigma};

  static constexpr Target target() { return Target::slope; }
  static constexpr int evaluations() { return 1; }
  template <State X>
  Memory<X> memory(const X& x) const { return {fresh.memory(x)}; }

  template <State X, class M>
  void step(const Step<X>& n, X& x, X& d, M& model, Memory<X>& m) const {
    if (m.past.size() < 3) return fresh.step(n, x, d, model, m.past);
    if (m.levels[0] == 0)
      m.levels = {n.to.value(), n.from.value(), m.past.time(0).value(), m.past.time(1).value(), m.past.time(2).value()};
    combine(x, std::tuple<>{}, [&l = m.levels] {
      return std::tuple_cat(std::tuple{unit}, fresh.weights(l[0], std::array{l[1], l[2], l[3], l[4]}));
    }, x, d, m.past[0], m.past[1], m.past[2]);
    m.past.push(d, n);
  }
};

/// DDIM as diffusers clips it: the image alone, so that image and noise of a step no longer belong together.
/// Source: diffusers, scheduling_ddim.py, clip_sample without use_clipped_model_output.
struct ClippedDdim {
  double limit = 1;

  static constexpr Target target() { return Target::slope; }
  static constexpr int evaluations() { return 1; }
  void validate() const { require(limit > 0, "ClippedDdim::limit", limit, "positive numbers"); }
  template <State X>
  NoMemory memory(const X&) const { return {}; }

  template <State X, class M>
  void step(const Step<X>& n, X& x, X& noise, M&, NoMemory&) const {
    combine(x, times(n.from), [](const auto& t) { return std::tuple{unit, -1. * t}; }, x, noise);
    algebra<X>::threshold(x, 1, limit, limit);  // clips, and divides by the limit
    combine(x, times(n.to), [this](const auto& s) { return std::tuple{limit, s}; }, x, noise);
  }
};

/// DDIM over diffusers' linspace timesteps, which steps by whole count/steps to levels between the chosen ones and goes on as if it
/// were at those. `reached`: the level that each step is made to; in terms of alpha x, which is what diffusers keeps.
/// Source: diffusers, scheduling_ddim.py, prev_timestep.
struct StridedDdim {
  std::vector<double> reached;

  static constexpr Target target() { return Target::denoised; }
  static constexpr int evaluations() { return 1; }
  template <State X>
  NoMemory memory(const X&) const { return {}; }

  template <State X, class M>
  void step(const Step<X>& n, X& x, X& image, M&, NoMemory&) const {
    const double level = reached.at(n.index);
    combine(x, times(n.from, n.to), [level](const auto& t, const auto& s) {
      using std::sqrt;
      const auto as_if = sqrt((1. + s * s) / (1. + level * level));
      return std::tuple{as_if * (level / t), as_if * (1. - level / t)};
    }, x, image);
  }
};

/// UniPC as published, which corrects the last state too, at one more evaluation, where the run has fewer steps than its order.
/// Source: diff-sampler, solvers.py, unipc_sampler.
struct UniPc {
  fewstep::UniPc solver{};

  template <State X>
  struct Memory {
    fewstep::UniPc::Memory<X> inner;
    X last;
    void detach() { inner.detach(); }
  };

  Target target() const { return solver.target(); }
  static constexpr int evaluations() { return 2; }
  int evaluations(std::size_t& kept, std::size_t left, bool) const {
    ++kept;
    return left == 1 && kept < static_cast<std::size_t>(solver.order) ? 2 : 1;
  }
  void validate() const { solver.validate(); }
  template <State X>
  Memory<X> memory(const X& x) const { return {solver.memory(x), algebra<X>::like(x)}; }

  template <State X, class M>
  void step(const Step<X>& n, X& x, X& m, M& model, Memory<X>& memory) const {
    solver.step(n, x, m, model, memory.inner);
    if (n.index + 1 < n.count || n.count >= static_cast<std::size_t>(solver.order)) return;
    model(x, n.to, memory.last);
    solver.correct<1>(Step<X>{n.to, n.to, n.count, n.count}, x, memory.last, memory.inner);
  }
};

}  // namespace fewstep::compat
