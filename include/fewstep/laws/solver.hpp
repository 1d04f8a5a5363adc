// The laws that every solver obeys on every state type, for tests of one's own in any framework:
//   for (const auto& [law, failure] : fewstep::laws::check<MyState>(MySolver{})) ...
#pragma once

#include "../plugin/amed.hpp"
#include "../run.hpp"
#include "../schedules/karras.hpp"
#include "problems.hpp"

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace fewstep::laws {

namespace detail {

inline Schedule grid(double scale = 1) {
  return karras({.steps = 6, .sigma_min = 0.05 * scale, .sigma_max = 10 * scale});
}

template <class X>
double slack(double scale) {
  return 200 * probe<X>::epsilon * scale;
}
template <class X>
double slack_of_batches(double scale) {
  return probe<X>::bitwise ? 0 : slack<X>(scale);
}

/// The end of a run over levels of any kind, which Run takes from a schedule alone.
template <State X, class S, class M>
Rows walk(const S& solver, M& model, const std::vector<Level<X>>& levels, X x) {
  auto memory = solver.memory(std::as_const(x));
  X first = algebra<X>::like(x);
  for (std::size_t i = 0; i + 1 < levels.size(); ++i) {
    model(x, levels[i], first);
    solver.step(Step<X>{levels[i], levels[i + 1], i, levels.size() - 1}, x, first, model, memory);
  }
  return probe<X>::read(x);
}

template <State X, class S, class F>
Rows solve(const S& solver, F f, const Schedule& schedule, const Rows& x0, const Options& options = {}) {
  return probe<X>::read(integrate(solver, elementwise<X>(f), schedule, probe<X>::make(x0), options).x);
}

/// A denoiser whose analytic start is D = weight x.
template <State X, class F>
struct Started : Elementwise<X, F> {
  double weight;
  template <class T>
  auto analytic_first_step(const T& sigma) const {
    return weight + 0. * sigma;
  }
};

/// Answers each evaluation from a list, whatever the state.
template <State X>
struct Playback {
  const std::vector<Rows>& answers;
  std::size_t next = 0;
  void operator()(const X&, const Level<X>&, X& out) { out = probe<X>::make(answers[next++]); }
  void operator()(const X& x, const Level<X>&, const Level<X>& t, X& out) { (*this)(x, t, out); }
  const Features<X>* features() const { return nullptr; }
};

}  // namespace detail

/// A step calls the model as often as declared and never again where the driver did; a run's total is known beforehand.
template <State X, Solver<X> S>
std::string count(const S& solver) {
  std::vector<std::pair<Rows, double>> calls;
  const auto f = TwoPeaks{};
  const auto denoise = [&](const X& x, const Level<X>& sigma, X& out) {
    calls.emplace_back(probe<X>::read(x), probe<X>::level(sigma, 0));
    Features<X> unused{};
    elementwise<X>(f)(x, sigma, out, unused);
  };
  for (const End end : {End::sigma_min, End::zero})
    for (const bool afs : {false, true}) {
      const Schedule schedule = karras({.steps = 4, .sigma_min = 0.05, .sigma_max = 10, .end = end});
      const Options options{.analytic_first_step = afs, .final_denoise = end == End::sigma_min};
      Run run(solver, denoise, schedule, probe<X>::make(detail::start<X>(10)), options);
      StepCount at;
      while (!run.done()) {
        calls.clear();
        const std::size_t i = run.index();
        at.steps_left = schedule.steps() - i;
        run.advance();
        const int want = schedule[i + 1] == 0 ? 1 : fewstep::detail::step_evaluations(solver, at) - (afs && i == 0);
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

/// A solver keeps nothing between or beside its runs.
template <State X, Solver<X> S>
std::string purity(const S& solver) {
  const auto denoise = elementwise<X>(TwoPeaks{});
  const Rows a = detail::start<X>(10), b = detail::start<X>(-7);
  Run first(solver, denoise, detail::grid(), probe<X>::make(a)),
      second(solver, denoise, detail::grid(2), probe<X>::make(b));
  while (first.advance() && second.advance()) {
  }
  const std::string failure =
      detail::compare(probe<X>::read(first.x), detail::solve<X>(solver, TwoPeaks{}, detail::grid(), a), 0);
  if (!failure.empty()) return "beside another run: " + failure;
  second.advance();
  return detail::compare(probe<X>::read(second.x), detail::solve<X>(solver, TwoPeaks{}, detail::grid(2), b), 0);
}

/// A sample's result does not depend on the batch around it.
template <State X, Solver<X> S>
std::string batch(const S& solver) {
  const Rows x0 = detail::start<X>(10), all = detail::solve<X>(solver, TwoPeaks{}, detail::grid(), x0);
  for (std::size_t b = 0; b < x0.size(); ++b) {
    const Rows same(x0.size(), x0[b]);
    std::string failure = detail::compare({detail::solve<X>(solver, TwoPeaks{}, detail::grid(), same)[b]}, {all[b]},
                                          detail::slack_of_batches<X>(10));
    if constexpr (requires { requires probe<X>::resizable; })
      if (failure.empty())
        failure = detail::compare(detail::solve<X>(solver, TwoPeaks{}, detail::grid(), {x0[b]}), {all[b]},
                                  detail::slack_of_batches<X>(10));
    if (!failure.empty()) return detail::text("sample ", b, " of the batch: ", failure);
  }
  return {};
}

/// One level per sample: each goes its own way as if its levels were shared by all; equal ones are shared ones.
template <State X, Solver<X> S>
std::string per_sample_levels(const S& solver) {
  const Rows x0 = detail::start<X>(10);
  const auto denoise = elementwise<X>(TwoPeaks{});
  Model<X, const Elementwise<X, TwoPeaks>> model(denoise, target_of(solver));
  const auto shared = [&](double scale) {
    std::vector<Level<X>> list;
    for (const double s : detail::grid(scale)) list.push_back(Level<X>(s));
    return detail::walk<X>(solver, model, list, probe<X>::make(x0));
  };
  for (const double spread : {0., 0.3}) {
    const auto scale = [&](std::size_t b) { return 1 + spread * static_cast<double>(b); };
    std::vector<Level<X>> each;
    for (std::size_t i = 0; i < detail::grid().size(); ++i) {
      std::vector<double> values;
      for (std::size_t b = 0; b < x0.size(); ++b) values.push_back(detail::grid(scale(b))[i]);
      each.push_back(probe<X>::levels(values));
    }
    const Rows got = detail::walk<X>(solver, model, each, probe<X>::make(x0));
    for (std::size_t b = 0; b < x0.size(); ++b) {
      const std::string failure = detail::compare({got[b]}, {shared(scale(b))[b]}, detail::slack_of_batches<X>(10));
      if (!failure.empty()) return detail::text("sample ", b, " on levels of its own: ", failure);
    }
  }
  return {};
}

/// Exact for a constant denoised image, a solver of slopes also for a constant slope. (A predictor whose direction or
/// sigma_scale is not 1 gives this up on purpose.)
template <State X, Solver<X> S>
std::string exactness(const S& solver) {
  const Schedule schedule = detail::grid();
  const Rows x0 = detail::start<X>(10);
  const double from = schedule[0], to = schedule[schedule.steps()];
  Rows want = x0;
  for (auto& row : want)
    for (double& v : row) v = 0.3 + to / from * (v - 0.3);
  std::string failure = detail::compare(
      detail::solve<X>(solver, [](double, double) { return 0.3; }, schedule, x0), want, detail::slack<X>(10));
  if (!failure.empty()) return "constant denoised image: " + failure;
  if (target_of(solver) != Target::slope) return {};
  want = x0;
  for (auto& row : want)
    for (double& v : row) v += 0.7 * (to - from);
  failure = detail::compare(detail::solve<X>(
                                solver, [](double x, double sigma) { return x - 0.7 * sigma; }, schedule, x0),
                            want, detail::slack<X>(10 * from / to));
  return failure.empty() ? failure : "constant slope: " + failure;
}

/// The weights of what the model answered depend on levels alone: runs add up when answers do.
template <State X, Solver<X> S>
std::string weights_alone(const S& solver) {
  std::vector<Level<X>> list;
  for (const double s : detail::grid()) list.push_back(Level<X>(s));
  const Rows zero(probe<X>::samples, std::vector<double>(probe<X>::numbers, 0.));
  std::vector<Rows> a, b, sum;
  for (std::size_t k = 0; k < detail::grid().steps() * static_cast<std::size_t>(solver.evaluations()); ++k) {
    a.push_back(detail::start<X>(std::cos(2. * static_cast<double>(k))));
    b.push_back(detail::start<X>(std::cos(3. * static_cast<double>(k) + 1)));
    sum.push_back(a[k]);
    for (std::size_t i = 0; i < zero.size(); ++i)
      for (std::size_t j = 0; j < zero[i].size(); ++j) sum[k][i][j] += b[k][i][j];
  }
  const auto end = [&](const std::vector<Rows>& answers, const Rows& x0) {
    detail::Playback<X> model{answers};
    return detail::walk<X>(solver, model, list, probe<X>::make(x0));
  };
  const Rows x0 = detail::start<X>(10), part = end(b, zero);
  Rows want = end(a, x0);
  for (std::size_t i = 0; i < want.size(); ++i)
    for (std::size_t j = 0; j < want[i].size(); ++j) want[i][j] += part[i][j];
  return detail::compare(end(sum, x0), want, detail::slack<X>(100));
}

/// A copied run goes on as the original does; a run that ends early ends where the whole one passes.
template <State X, Solver<X> S>
std::string resume(const S& solver) {
  const auto denoise = elementwise<X>(TwoPeaks{});
  const Schedule schedule = detail::grid();
  const Rows x0 = detail::start<X>(10), whole = detail::solve<X>(solver, TwoPeaks{}, schedule, x0);
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

/// An analytic slope kept out of the history reaches later steps through the state alone.
template <State X, Solver<X> S>
std::string forgetting(const S& solver) {
  auto f = [target = target_of(solver)](double x,
                                        double sigma) {  // what the solver extrapolates depends on sigma alone
    return target == Target::slope ? x - sigma * std::cos(sigma) : std::cos(sigma);
  };
  const auto rest = [&](double weight) {
    const detail::Started<X, decltype(f)> denoise{{f}, weight};
    Run run(solver, denoise, detail::grid(), probe<X>::make(detail::start<X>(10)),
            {.analytic_first_step = true, .analytic_in_history = false});
    run.advance();
    run.x = probe<X>::make(detail::start<X>(3));
    while (run.advance()) {
    }
    return probe<X>::read(run.x);
  };
  return detail::compare(rest(0.5), rest(0.1), detail::slack<X>(100));
}

/// After Run::detach() neither the state nor what the solver remembers carries gradients.
template <State X, Solver<X> S>
std::string detach(const S& solver) {
  bool track = true;
  const auto inner = elementwise<X>(TwoPeaks{});
  const auto denoise = [&](const X& x, const Level<X>& sigma, X& out) {
    Features<X> unused{};
    inner(x, sigma, out, unused);
    if (track) probe<X>::track(out);
  };
  Run run(solver, denoise, detail::grid(), probe<X>::make(detail::start<X>(10)));
  for (int i = 0; i < 4; ++i) run.advance();
  if (!probe<X>::tracked(run.x)) return "gradients do not reach the state";
  run.detach();
  if (probe<X>::tracked(run.x)) return "the state still carries gradients";
  track = false;
  run.advance();
  return probe<X>::tracked(run.x) ? "the memory still carries gradients" : "";
}

/// The plugin with a constant ratio is the solver on the refined grid.
template <State X, Solver<X> S>
std::string wrapping(const S& solver) {
  const Rows x0 = detail::start<X>(10);
  for (const double ratio : {0.5, 0.3}) {
    const Schedule coarse = detail::grid();
    std::vector<double> fine{coarse[0]};
    for (std::size_t i = 0; i < coarse.steps(); ++i) {
      fine.push_back(fewstep::detail::geometric(ratio, coarse[i], coarse[i + 1]));
      fine.push_back(coarse[i + 1]);
    }
    const Amed plugged{solver, FixedRatio{ratio}};
    if (evaluations(plugged, coarse) != evaluations(solver, Schedule(fine)))
      return "the plugin declares other evaluations";
    for (const Options& options : {Options{}, Options{.analytic_first_step = true},
                                   Options{.analytic_first_step = true, .analytic_in_history = false}}) {
      const std::string failure =
          detail::compare(detail::solve<X>(plugged, TwoPeaks{}, coarse, x0, options),
                          detail::solve<X>(solver, TwoPeaks{}, Schedule(fine), x0, options), detail::slack<X>(10));
      if (!failure.empty())
        return detail::text("ratio ", ratio, options.analytic_first_step ? ", analytic start: " : ": ", failure);
    }
  }
  return {};
}

/// All of the above.
template <State X, Solver<X> S>
std::vector<Verdict> check(const S& solver) {
  std::vector<Verdict> verdicts{{"count", count<X>(solver)},         {"purity", purity<X>(solver)},
                                {"batch", batch<X>(solver)},         {"levels", per_sample_levels<X>(solver)},
                                {"exactness", exactness<X>(solver)}, {"weights alone", weights_alone<X>(solver)},
                                {"resume", resume<X>(solver)},       {"forgetting", forgetting<X>(solver)},
                                {"wrapping", wrapping<X>(solver)}};
  if constexpr (requires(X& x) { probe<X>::track(x); }) verdicts.push_back({"detach", detach<X>(solver)});
  return verdicts;
}

/// Whatever the state type: each of its numbers goes where it would go on its own.
/// @param scalar  the same solver of states that are one number
template <State X, Solver<X> S, Solver<double> R>
std::string backends(const S& solver, const R& scalar) {
  const Rows x0 = detail::start<X>(10);
  for (const bool afs : {false, true}) {
    const Options options{.analytic_first_step = afs, .final_denoise = afs};
    Rows want = x0;
    for (auto& row : want)
      for (double& v : row) v = detail::solve<double>(scalar, TwoPeaks{}, detail::grid(), {{v}}, options)[0][0];
    const std::string failure =
        detail::compare(detail::solve<X>(solver, TwoPeaks{}, detail::grid(), x0, options), want, detail::slack<X>(100));
    if (!failure.empty()) return detail::text(afs ? "with an analytic start: " : "", failure);
  }
  return {};
}

/// No allocation after the first step. @param taken  the number of allocations so far, by whatever counts them
template <State X, Solver<X> S, class Counter>
std::string allocation(const S& solver, Counter taken) {
  const auto shrink = [](const X& x, const Level<X>& sigma, X& out) {
    combine(out, levels(sigma), [](const auto& s) { return std::tuple{1. / (1. + s * s)}; }, x);
  };
  Run run(solver, shrink, karras({.steps = 12}), probe<X>::make(detail::start<X>(10)));
  run.advance();
  const auto before = taken();
  while (run.advance()) {
  }
  const auto after = taken();
  return after == before ? "" : detail::text(after - before, " allocations in 11 steps");
}

}  // namespace fewstep::laws
