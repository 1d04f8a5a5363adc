// What commands read from the registry of solvers, compiled once.
#pragma once

#include <fewstep/registry.hpp>
#include <fewstep/schedule.hpp>
#include <fewstep/solvers/table.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace fewstep::examples {

/// The names of all solvers, separated by commas.
std::string solver_names();
/// The solvers that are compared by default at few steps.
std::vector<std::string> few_step_solvers();
/// The solvers whose tables calibrate() can fit, separated by commas.
std::string calibratable_solvers();

/// For Option::check(): an error that lists the known solvers unless `name` is one of them.
std::string unknown_solver(const std::string& name);

/// The solver with its default order, if it has one: "ipndm 4", "heun".
std::string text_of_default(std::string_view solver);
/// All settings of a solver, as describe() in names.hpp.
std::string description_of(const std::string& solver, const SolverSettings& settings);

/// The table of a solver. @throws std::invalid_argument as make_solver() and tabulate().
Table table_of(const std::string& solver, const SolverSettings& settings, const Schedule& schedule);

}  // namespace fewstep::examples
