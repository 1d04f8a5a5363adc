// Laws of a solver's runs: their evaluations, their independence, and what they remember.
#pragma once

#include "solver_support.hpp"

#include <cmath>
#include <cstddef>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace fewstep::laws {

/// A step evaluates the model as often as declared and does not repeat the evaluation at its left end, which Run has
/// made. A run makes as many evaluations as evaluations() computes without running it.
template <State X, Solver<X> S>
std::string count(const S& solver) {
  std::vector<std::pair<Rows, double>> calls;
  const auto exact = elementwise<X>(TwoPeaks{});
  const auto denoise = [&](const X& x, const Level<X>& sigma, X& out) {
    calls.emplace_back(probe<X>::read(x), probe<X>::level(sigma, 0));
    Features<X> unused{};
    exact(x, sigma, out, unused);
  };
  for (const End end : {End::sigma_min, End::zero})
    for (const bool afs : {false, true}) {
      const Schedule schedule = karras({.steps = 4, .sigma_min = 0.05, .sigma_max = 10, .end = end});
      const Options options{.analytic_first_step = afs, .final_denoise = end == End::sigma_min};
      Run run(solver, denoise, schedule, probe<X>::make(detail::some_rows<X>(10)), options);
      StepCount at;
      while (!run.done()) {
        calls.clear();
        const std::size_t i = run.index();
        at.steps_left = schedule.steps() - i;
        run.advance();
        const bool replaced = schedule[i + 1] == 0 && !reaches_zero(solver);
        const int want = replaced ? 1 : fewstep::detail::step_evaluations(solver, at) - (afs && i == 0);
        if (static_cast<int>(calls.size()) != want)
          return detail::text("step ", i, " made ", calls.size(), " evaluations instead of ", want);
        for (std::size_t k = 1; k < calls.size(); ++k)
          if (calls[k] == calls[0]) return detail::text("step ", i, " evaluates its left end twice");
      }
      run.finish();
      if (run.evaluations() != evaluations(solver, schedule, options))
        return detail::text("a run makes ", run.evaluations(), " evaluations instead of ",
                            evaluations(solver, schedule, options));
    }
  return {};
}

/// Interleaved runs give the same results as separate ones: a solver keeps nothing outside a run's memory.
template <State X, Solver<X> S>
std::string purity(const S& solver) {
  const auto denoise = elementwise<X>(TwoPeaks{});
  const Rows a = detail::some_rows<X>(10), b = detail::some_rows<X>(-7);
  Run first(solver, denoise, detail::grid(), probe<X>::make(a));
  Run second(solver, denoise, detail::grid(2), probe<X>::make(b));
  while (first.advance() && second.advance()) {
  }
  const std::string failure =
      detail::compare(probe<X>::read(first.x), detail::solve<X>(solver, TwoPeaks{}, detail::grid(), a), 0);
  if (!failure.empty()) return "beside another run: " + failure;
  second.advance();
  return detail::compare(probe<X>::read(second.x), detail::solve<X>(solver, TwoPeaks{}, detail::grid(2), b), 0);
}

/// A copy of a run continues as the original does. A run that stops early has the state that a whole run has there.
template <State X, Solver<X> S>
std::string resume(const S& solver) {
  const auto denoise = elementwise<X>(TwoPeaks{});
  const Schedule schedule = detail::grid();
  const Rows x0 = detail::some_rows<X>(10), whole = detail::solve<X>(solver, TwoPeaks{}, schedule, x0);
  for (std::size_t k = 1; k < schedule.steps(); ++k) {
    Run run(solver, denoise, schedule, probe<X>::make(x0));
    while (run.index() < k) run.advance();
    const Rows begin = detail::solve<X>(solver, TwoPeaks{}, schedule, x0, {.last_step = k});
    std::string failure = detail::compare(begin, probe<X>::read(run.x), 0);
    if (!failure.empty()) return detail::text("a run of the first ", k, " steps: ", failure);
    Run copy(run);
    while (copy.advance()) {
    }
    while (run.advance()) {
    }
    failure = detail::compare(probe<X>::read(copy.x), whole, 0) + detail::compare(probe<X>::read(run.x), whole, 0);
    if (!failure.empty()) return detail::text("resumed after step ", k, ": ", failure);
  }
  return {};
}

/// With analytic_in_history = false the analytic slope is not in the history: once the state is replaced, the rest of a
/// run does not depend on it.
template <State X, Solver<X> S>
std::string forgetting(const S& solver) {
  // A function of sigma alone is extrapolated, so the outputs of later steps do not depend on the state.
  const auto f = [target = target_of(solver)](double x, double sigma) {
    return target == Target::slope ? x - sigma * std::cos(sigma) : std::cos(sigma);
  };
  const auto rest_of_run = [&](double weight) {
    const detail::WithAnalyticWeight<X, decltype(f)> denoise{{f}, weight};
    Run run(solver, denoise, detail::grid(), probe<X>::make(detail::some_rows<X>(10)),
            {.analytic_first_step = true, .analytic_in_history = false});
    run.advance();
    run.x = probe<X>::make(detail::some_rows<X>(3));
    while (run.advance()) {
    }
    return probe<X>::read(run.x);
  };
  return detail::compare(rest_of_run(0.5), rest_of_run(0.1), detail::slack<X>(100));
}

/// After Run::detach() neither the state nor the solver's memory carries gradients.
template <State X, Solver<X> S>
std::string detach(const S& solver) {
  bool track = true;
  const auto exact = elementwise<X>(TwoPeaks{});
  const auto denoise = [&](const X& x, const Level<X>& sigma, X& out) {
    Features<X> unused{};
    exact(x, sigma, out, unused);
    if (track) probe<X>::track(out);
  };
  Run run(solver, denoise, detail::grid(), probe<X>::make(detail::some_rows<X>(10)));
  for (int i = 0; i < 4; ++i) run.advance();
  if (!probe<X>::tracked(run.x)) return "gradients do not reach the state";
  run.detach();
  if (probe<X>::tracked(run.x)) return "the state still carries gradients";
  track = false;
  run.advance();
  return probe<X>::tracked(run.x) ? "the memory still carries gradients" : "";
}

/// No step after the first allocates memory.
/// @param allocations  () -> the number of allocations so far, e.g. by a replaced operator new
template <State X, Solver<X> S, class Counter>
std::string allocation(const S& solver, Counter allocations) {
  const auto denoise = [](const X& x, const Level<X>& sigma, X& out) {
    combine(out, levels(sigma), [](const auto& s) { return std::tuple{1. / (1. + s * s)}; }, x);
  };
  constexpr int steps = 12;
  Run run(solver, denoise, karras({.steps = steps}), probe<X>::make(detail::some_rows<X>(10)));
  run.advance();
  const auto count_at_first = allocations();
  while (run.advance()) {
  }
  const auto made = allocations() - count_at_first;
  return made == 0 ? "" : detail::text(made, " allocations in ", steps - 1, " steps");
}

}  // namespace fewstep::laws
