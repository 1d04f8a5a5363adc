#include "solver_list.hpp"

#include <fewstep/fitting/calibration/options.hpp>
#include <fewstep/fitting/tabulate.hpp>
#include <fewstep/names.hpp>
#include <fewstep/scalar.hpp>
#include <fewstep/schedules/karras.hpp>

#include <stdexcept>

namespace fewstep::examples {

namespace {

template <class Condition>
std::vector<std::string> solvers_with(Condition condition) {
  std::vector<std::string> names;
  for_each_solver([&](const SolverInfo& solver) {
    if (condition(solver)) names.emplace_back(solver.name);
  });
  return names;
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

bool is_calibratable(std::string_view solver) {
  try {
    require_calibratable(tabulate(make_solver<double>(solver), karras({.steps = 3})));
    return true;
  } catch (const std::invalid_argument&) {
    return false;
  }
}

}  // namespace

std::string solver_names() {
  return joined(solvers_with([](const SolverInfo&) { return true; }));
}

std::vector<std::string> few_step_solvers() {
  return solvers_with([](const SolverInfo& solver) { return solver.few_step; });
}

std::string calibratable_solvers() {
  return joined(solvers_with([](const SolverInfo& solver) { return is_calibratable(solver.name); }));
}

std::string unknown_solver(const std::string& name) {
  try {
    make_solver<double>(name);
    return {};
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
}

std::string text_of_default(std::string_view name) {
  std::string text(name);
  for_each_solver([&](const auto& entry) {
    if (entry.name != name) return;
    const auto solver = entry.make({});
    if constexpr (requires { solver.order; }) text += " " + std::to_string(solver.order);
  });
  return text;
}

std::string description_of(const std::string& solver, const SolverSettings& settings) {
  return describe(solver, settings);
}

Table table_of(const std::string& solver, const SolverSettings& settings, const Schedule& schedule) {
  return tabulate(make_solver<double>(solver, settings), schedule);
}

}  // namespace fewstep::examples
