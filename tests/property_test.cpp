// Properties of every solver of the registry, plain and plugged, on every schedule. States are single numbers, which is
// fast; laws_test.cpp checks that other states give the same results.
#include "support/catch.hpp"
#include "support/configurations.hpp"

#include <fewstep/laws/problems.hpp>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

using namespace fewstep;

namespace {

/// Relative to |x|, 1e-13 in general. A solver that evaluates the slope at the low end of a step divides the rounding
/// of x by that level; this is visible if one step spans more than three decades. Polynomials of degree 4 through
/// levels far apart amplify rounding.
double tolerance(const std::string& label, const AnySolver<double>& solver, const Schedule& s) {
  double widest = 1;
  for (std::size_t i = 0; i < s.steps(); ++i)
    if (s[i + 1] > 0) widest = std::max(widest, s[i] / s[i + 1]);
  const bool corrects = label.starts_with("unipc") && target_of(solver) == Target::slope;
  const double extrapolation = label.find(" 5") != label.npos ? 100 : 1;
  const double by_low_end = corrects ? 1e-14 * widest : solver.evaluations() > 1 ? 1e-16 * widest : 0;
  return std::max(1e-13, by_low_end) * extrapolation;
}

template <class F>
void for_each_case(F f) {
  for (const auto& [label, solver] : test::configurations<double>())
    for (const auto& [name, make] : test::schedules())
      for (const End end : {End::sigma_min, End::zero})
        for (int steps = 1; steps <= 20; ++steps) {
          INFO(label << ", " << name << ", " << steps << " steps, end " << (end == End::zero ? "0" : "sigma_min"));
          f(label, solver, make(steps, end), end);
        }
}

}  // namespace

TEST_CASE("schedules have exact ends and steps + 1 strictly decreasing levels") {
  for (const auto& [name, make] : test::schedules())
    for (const End end : {End::sigma_min, End::zero})
      for (int steps = 1; steps <= 40; ++steps) {
        INFO(name << ", " << steps << " steps");
        const Schedule s = make(steps, end);
        REQUIRE(s.size() == static_cast<std::size_t>(steps) + 1);
        CHECK(s[0] == (name == "huge and tiny" ? 1e4 : 80));
        const double last = name == "huge and tiny" ? 1e-8 : 0.002;
        CHECK(s[s.steps()] == (end == End::zero ? 0 : last));
        if (end == End::zero && steps > 1) CHECK(s[s.steps() - 1] == last);
      }
  CHECK(Schedule({3, 2, 0.1}).levels() == std::vector<double>{3, 2, 0.1});
  CHECK_FALSE(Schedule({1, 2}).decreasing());
}

TEST_CASE("a constant denoiser is solved exactly, in the declared evaluations") {
  const double c = 0.3, x0 = -90;
  const auto denoise = [&](double, double) { return c; };
  for_each_case([&](const std::string& label, const AnySolver<double>& solver, const Schedule& s, End end) {
    const auto r = integrate(solver, denoise, s, x0);
    CHECK(r.status == Status::complete);
    CHECK(r.evaluations == evaluations(solver, s));
    const bool replaced = end == End::zero && !reaches_zero(solver);  // the last step takes the denoised number
    if (replaced) CHECK(r.x == c);
    else CHECK(std::abs(r.x - (c + s[s.steps()] / s[0] * (x0 - c))) <= tolerance(label, solver, s) * std::abs(x0));

    const Options afs{.analytic_first_step = true, .final_denoise = end != End::zero};
    const auto analytic = integrate(solver, denoise, s, x0, afs);
    CHECK(analytic.status == Status::complete);
    CHECK(analytic.evaluations == evaluations(solver, s, afs));
    if (replaced || afs.final_denoise) CHECK(analytic.x == c);
  });
}

TEST_CASE("two peaks: states are finite and evaluations as declared, with and without AFS") {
  const laws::TwoPeaks problem;
  const auto denoise = [&](double x, double sigma) { return problem(x, sigma); };
  for_each_case([&](const std::string&, const AnySolver<double>& solver, const Schedule& s, End) {
    for (const Options& start : {Options{}, Options{.analytic_first_step = true},
                                 Options{.analytic_first_step = true, .analytic_in_history = false}}) {
      Options o = start;
      o.check = Check::every_step;
      const auto r = sample(solver, denoise, s, 0.7, o);
      CHECK(r.status == Status::complete);
      CHECK(r.steps == s.steps());
      CHECK(r.evaluations == evaluations(solver, s, o));
    }
  });
}

TEST_CASE("partial runs equal the parts of a whole run, and a copied run equals the original") {
  const laws::TwoPeaks problem;
  const auto denoise = [&](double x, double sigma) { return problem(x, sigma); };
  for_each_case([&](const std::string&, const AnySolver<double>& solver, const Schedule& s, End) {
    if (s.steps() > 6) return;
    const double x0 = 0.7 * s[0];
    const double whole = integrate(solver, denoise, s, x0).x;
    for (std::size_t k = 1; k < s.steps(); ++k) {
      Run run(solver, denoise, s, x0);
      while (run.index() < k) run.advance();
      const auto begin = integrate(solver, denoise, s, x0, {.last_step = k});
      CHECK(begin.x == run.x);
      Run copy(run);
      while (run.advance()) {
      }
      while (copy.advance()) {
      }
      CHECK(run.x == whole);
      CHECK(copy.x == whole);

      const auto rest = integrate(solver, denoise, s, begin.x, {.first_step = k});
      CHECK(rest.x ==
            integrate(solver, denoise, Schedule({s.begin() + static_cast<std::ptrdiff_t>(k), s.end()}), begin.x).x);
      CHECK(begin.evaluations == evaluations(solver, s, {.last_step = k}));
      CHECK(rest.evaluations == evaluations(solver, s, {.first_step = k}));
    }
  });
}

TEST_CASE("AFS kept out of the history: later steps equal a run of their own") {
  const laws::TwoPeaks problem;
  const auto denoise = [&](double x, double sigma) { return problem(x, sigma); };
  int multistep = 0;
  for_each_solver([&](const auto& entry) {
    INFO(entry.name);
    const auto solver = entry.make({});
    const Schedule s = karras({.steps = 8});
    const Options forgetful{.analytic_first_step = true, .analytic_in_history = false};
    Run run(solver, denoise, s, 56., forgetful);
    run.advance();
    const double rest = integrate(solver, denoise, s, run.x, {.first_step = 1}).x;
    while (run.advance()) {
    }
    CHECK(run.x == rest);
    multistep += integrate(solver, denoise, s, 56., {.analytic_first_step = true}).x != rest;
  });
  CHECK(multistep >= 2);
}

TEST_CASE("increasing levels invert a run, to the accuracy of the solver") {
  const laws::TwoPeaks problem;
  const auto denoise = [&](double x, double sigma) { return problem(x, sigma); };
  for (const auto& [label, solver] : test::configurations<double>()) {
    INFO(label);
    std::vector<double> levels = karras({.steps = 200, .sigma_min = 0.1, .sigma_max = 10}).levels();
    const double sample = integrate(solver, denoise, Schedule(levels), 4.).x;
    std::reverse(levels.begin(), levels.end());
    CHECK(integrate(solver, denoise, Schedule(levels), sample).x == Approx(4).epsilon(0.05));
  }
}
