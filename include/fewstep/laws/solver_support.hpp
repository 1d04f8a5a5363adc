// What the laws of solvers share: their schedule, their tolerances, and ways to run a solver.
#pragma once

#include "../run.hpp"
#include "../schedules/karras.hpp"
#include "problems.hpp"

#include <cstddef>
#include <utility>
#include <vector>

namespace fewstep::laws::detail {

/// The schedule of the laws: six steps, with all levels multiplied by `scale`.
inline Schedule grid(double scale = 1) {
  return karras({.steps = 6, .sigma_min = 0.05 * scale, .sigma_max = 10 * scale});
}

/// The tolerance for rounding of numbers of size `scale`.
template <class X>
double slack(double scale) {
  constexpr double roundings = 200;
  return roundings * probe<X>::epsilon * scale;
}
/// The tolerance between the results of a sample in two batches.
template <class X>
double slack_of_batches(double scale) {
  return probe<X>::bitwise ? 0 : slack<X>(scale);
}

/// Runs a solver over levels that may differ per sample, unlike those of Run.
/// @param model  callable as (x, level, out) and (x, network level, level, out), as fewstep::Model
/// @return the last state
template <State X, class S, class M>
Rows run_over_levels(const S& solver, M& model, const std::vector<Level<X>>& levels, X x) {
  auto memory = solver.memory(std::as_const(x));
  X output = algebra<X>::like(x);
  for (std::size_t i = 0; i + 1 < levels.size(); ++i) {
    model(x, levels[i], output);
    solver.step(Step<X>{levels[i], levels[i + 1], i, levels.size() - 1}, x, output, model, memory);
  }
  return probe<X>::read(x);
}

/// Returns the last state of a run from x0, whose denoiser applies f(x, sigma) to each number.
template <State X, class S, class F>
Rows solve(const S& solver, F f, const Schedule& schedule, const Rows& x0, const Options& options = {}) {
  return probe<X>::read(integrate(solver, elementwise<X>(f), schedule, probe<X>::make(x0), options).x);
}

/// A denoiser whose analytic first step has D = weight x.
template <State X, class F>
struct WithAnalyticWeight : Elementwise<X, F> {
  double weight;
  template <class T>
  auto analytic_first_step(const T& sigma) const {
    return weight + 0. * sigma;
  }
};

/// A model with given outputs: evaluation k returns outputs[k], whatever the state and the level.
template <State X>
struct ScriptedModel {
  const std::vector<Rows>& outputs;
  std::size_t next = 0;
  void operator()(const X&, const Level<X>&, X& out) { out = probe<X>::make(outputs[next++]); }
  void operator()(const X& x, const Level<X>&, const Level<X>& t, X& out) { (*this)(x, t, out); }
  const Features<X>* features() const { return nullptr; }
};

}  // namespace fewstep::laws::detail
