#include "method.hpp"

#include <optional>
#include <sstream>
#include <utility>

namespace fewstep::examples {

namespace {

struct NamedSolver {
  std::string text;
  SamplesSolver solver;
};

std::vector<NamedSolver> variants(const std::string& name) {
  std::vector<NamedSolver> all;
  const auto add = [&](const SolverSettings& settings, const std::string& text) {
    all.push_back({name + text, samples_solver(name, settings)});
  };
  for_each_solver([&](const SolverInfo& solver) {
    if (solver.name != name) return;
    for (const int order : solver.few_step_orders) add({.order = order}, " " + std::to_string(order));
    for (const double ratio : solver.few_step_ratios)
      add({.ratio = ratio}, " ratio " + std::to_string(ratio).substr(0, 3));
    if (all.empty()) add({}, "");
  });
  return all;
}

struct NamedSchedule {
  std::string text;
  Schedule schedule;
};

std::vector<NamedSchedule> schedules(int nfe, const std::vector<double>& more_levels, const Subject& subject) {
  std::vector<NamedSchedule> all;
  if (!more_levels.empty()) {
    std::ostringstream text;
    text << "levels";
    for (const double level : more_levels) text << " " << level;
    all.push_back({text.str(), Schedule(more_levels)});
  }
  for (const auto& [name, rho] : {std::pair<const char*, std::optional<double>>{"karras", 7},
                                  {"karras", 5},
                                  {"log_uniform", {}},
                                  {"time_uniform", 1}})
    for (int steps = 1; steps <= nfe + 1; ++steps) {  // nfe + 1 with an analytic first step
      const ScheduleSettings settings{.steps = steps, .rho = rho};
      all.push_back({text_of(name, settings), make_schedule(name, subject.at_its_levels(name, settings))});
    }
  return all;
}

}  // namespace

std::string Method::text() const { return setup + text_of(sampler.options); }

std::string text_of(const Options& o) {
  return !o.analytic_first_step ? "" : o.analytic_in_history ? ", AFS" : ", AFS forgotten";
}

std::string text_of(std::string_view schedule, const ScheduleSettings& s) {
  std::ostringstream text;
  text << schedule;
  if (s.rho) text << " " << *s.rho;
  text << ", " << s.steps << " steps";
  return text.str();
}

std::vector<Method> candidates(const std::string& name, int nfe, const std::vector<double>& more_levels,
                               const Subject& subject) {
  std::vector<Method> all;
  const std::vector<NamedSolver> solvers = variants(name);
  for (const auto& [schedule_text, schedule] : schedules(nfe, more_levels, subject))
    for (const auto& [solver_text, solver] : solvers)
      for (const Options& options : {Options{}, Options{.analytic_first_step = true},
                                     Options{.analytic_first_step = true, .analytic_in_history = false}})
        if ((options.analytic_in_history || is_multistep(solver)) && evaluations(solver, schedule, options) == nfe)
          all.push_back({name, false, solver_text + ", " + schedule_text, {solver, schedule, options}});
  return all;
}

}  // namespace fewstep::examples
