// Any solver on a schedule as a table of numbers.
#pragma once

#include "run.hpp"
#include "scalar.hpp"
#include "solvers/table.hpp"

#include <cstddef>
#include <vector>

namespace fewstep {

/// The solver's numbers on a schedule. What it evaluates, and where it ends, is linear in the state and in what the model answers: so
/// it is enough to see what each answer by itself moves. Each evaluation becomes a row.
/// @throws std::invalid_argument for solvers that evaluate at one level twice (Heun's method), which no schedule has.
template <Solver<double> S>
Table tabulate(const S& solver, const Schedule& schedule) {
  require(schedule[schedule.steps()] > 0, "the last level", 0, "positive numbers: the step to 0 is the model's own");
  struct Seen {
    std::vector<double> level, clock, state;
  };
  // The states at all evaluations and the end, for one starting point and answers that are 0 but for one.
  const auto impulse = [&](double x0, std::size_t which) {
    Seen seen;
    const auto answer = [&] { return seen.state.size() == which + 1 ? 1. : 0.; };
    struct Probe {
      Seen* seen;
      decltype(answer)* value;
      void operator()(const double& x, const double& t, double& out) { (*this)(x, t, t, out); }
      void operator()(const double& x, const double& fed, const double& t, double& out) {
        seen->state.push_back(x);
        seen->level.push_back(t);
        seen->clock.push_back(fed / t);
        out = (*value)();
      }
      const Features<double>* features() const { return nullptr; }
    } probe{&seen, &answer};
    auto memory = solver.memory(x0);
    double x = x0;
    for (std::size_t i = 0; i < schedule.steps(); ++i) {
      const double from = schedule[i], to = schedule[i + 1];
      double first = 0;
      probe(x, detail::clock(solver, i) * from, from, first);
      solver.step(Step<double>{from, to, i, schedule.steps()}, x, first, probe, memory);
    }
    seen.state.push_back(x);
    return seen;
  };

  const std::size_t never = static_cast<std::size_t>(-2);
  const Seen alone = impulse(1, never);
  const std::size_t count = alone.level.size();
  Table table{.aim = solver.target()};
  table.levels = alone.level;
  table.levels.push_back(schedule[schedule.steps()]);
  std::vector<Seen> moved;
  for (std::size_t k = 0; k < count; ++k) moved.push_back(impulse(0, k));
  for (std::size_t j = 0; j < count; ++j) {
    const double carry = alone.state[j + 1] / alone.state[j];
    Table::Row row{.carry = carry, .clock = alone.clock[j]};
    for (std::size_t back = 0; back <= j; ++back) row.weights.push_back(moved[j - back].state[j + 1] - carry * moved[j - back].state[j]);
    while (row.weights.size() > 1 && row.weights.back() == 0) row.weights.pop_back();
    table.rows.push_back(std::move(row));
  }
  table.validate();
  return table;
}

}  // namespace fewstep
