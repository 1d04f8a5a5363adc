// Any solver on a schedule as a table of numbers.
#pragma once

#include "../run.hpp"
#include "../scalar.hpp"
#include "../solvers/table.hpp"

#include <cmath>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace fewstep {

/// The solver's numbers on a schedule. What it evaluates, and where it ends, is linear in the state and in what the
/// model answers: so it is enough to see what each answer by itself moves. Each evaluation becomes a row, but one at
/// the level of the next (as in Heun's method) a midpoint of the row before it.
/// @throws std::invalid_argument for solvers whose levels go back, or that have no such midpoints (PNDM's wait for each
/// other).
template <Solver<double> S>
Table tabulate(const S& solver, const Schedule& schedule) {
  require(schedule[schedule.steps()] > 0, "the last level", 0, "positive numbers: the step to 0 is the model's own");
  struct Seen {
    std::vector<double> level, sigma_scale, state;
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
        seen->sigma_scale.push_back(fed / t);
        out = (*value)();
      }
      const Features<double>* features() const { return nullptr; }
    } probe{&seen, &answer};
    auto memory = solver.memory(x0);
    double x = x0;
    for (std::size_t i = 0; i < schedule.steps(); ++i) {
      const double from = schedule[i], to = schedule[i + 1];
      double first = 0;
      probe(x, detail::sigma_scale(solver, i) * from, from, first);
      solver.step(Step<double>{from, to, i, schedule.steps()}, x, first, probe, memory);
    }
    seen.state.push_back(x);
    seen.level.push_back(schedule[schedule.steps()]);
    return seen;
  };

  const std::size_t never = static_cast<std::size_t>(-2);
  const Seen alone = impulse(1, never);
  const std::size_t count = alone.sigma_scale.size();
  Table table{.target = target_of(solver)};
  std::vector<Seen> moved;
  for (std::size_t k = 0; k < count; ++k) moved.push_back(impulse(0, k));
  const auto midpoint = [&](std::size_t k) { return k < count && alone.level[k] == alone.level[k + 1]; };
  std::vector<std::size_t> begins;  // the evaluations that rows begin with, and the end
  for (std::size_t k = 0; k <= count; ++k) {
    if (midpoint(k)) continue;
    begins.push_back(k);
    table.levels.push_back(alone.level[k]);
  }
  for (std::size_t i = 0; i + 1 < begins.size(); ++i) {
    const std::size_t at = begins[i], next = begins[i + 1];
    const auto carry = [&](std::size_t to) { return alone.state[to] / alone.state[at]; };
    const auto weight = [&](std::size_t of, std::size_t to) {
      return moved[of].state[to] - carry(to) * moved[of].state[at];
    };
    Table::Row row{.carry = carry(next), .sigma_scale = alone.sigma_scale[at]};
    for (std::size_t back = 0; back <= i; ++back) row.weights.push_back(weight(begins[i - back], next));
    // What is left of targets that the step does not use is rounding.
    const auto unused = [&](std::size_t of) {
      return std::abs(weight(of, next)) <= 1e-13 * std::abs(moved[of].state[at]);
    };
    while (row.weights.size() > 1 && unused(begins[i + 1 - row.weights.size()])) row.weights.pop_back();
    for (std::size_t k = at + 1; k < next; ++k)
      row.midpoints.push_back({alone.level[k], weight(at, k), weight(k, next), carry(k), alone.sigma_scale[k]});
    table.rows.push_back(std::move(row));
    // What else moves a midpoint or a row's end has no place in a table.
    for (std::size_t to = at + 1; to <= next; ++to)
      for (std::size_t of = 0; of < to; ++of) {
        const bool placed = to == next ? of >= at || !midpoint(of) : of == at;
        if (!placed && std::abs(weight(of, to)) > 1e-9 * std::abs(moved[of].state[at]))
          require(false,
                  "the weight of the solver's evaluation " + std::to_string(of) + " in state " + std::to_string(to),
                  weight(of, to), "0, as a table's midpoints serve their own step's end alone");
      }
  }
  table.validate();
  return table;
}

}  // namespace fewstep
