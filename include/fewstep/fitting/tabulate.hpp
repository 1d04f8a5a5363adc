// Any solver on a schedule as a table of numbers.
#pragma once

#include "../model_ref.hpp"
#include "../scalar.hpp"
#include "../schedule.hpp"
#include "../solver.hpp"
#include "../solvers/table.hpp"

#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

namespace fewstep {

namespace detail {

/// Replaces the model in a run of scalars: all outputs are 0 but that of evaluation `impulse`, which is 1. Records
/// where the solver evaluates.
struct ImpulseModel {
  static constexpr std::size_t no_impulse = static_cast<std::size_t>(-1);

  std::size_t impulse;
  std::vector<double> level = {}, state = {};  ///< at each evaluation, and at the end of the run
  std::vector<double> sigma_scale = {};        ///< factor of the network's level at each of them

  // Out of line, since a run calls it from three places.
  [[gnu::noinline]] void operator()(const double& x, const double& network_level, const double& t, double& out) {
    out = state.size() == impulse ? 1 : 0;
    state.push_back(x);
    level.push_back(t);
    sigma_scale.push_back(network_level / t);
  }
  const Features<double>* features() const { return nullptr; }
};

/// A solver's run is linear in its start and in the model's outputs; these runs, each with only one of them, are its
/// weights.
struct ImpulseResponses {
  ImpulseModel start;                        ///< from state 1, all outputs 0
  std::vector<std::vector<double>> outputs;  ///< [k]: states of the run from state 0 with output k 1
  std::vector<std::size_t> row_begin = {};   ///< the evaluations at which rows begin, and the end

  /// Whether an evaluation is at the level of the next one, or of the end: a midpoint of its row.
  bool is_midpoint(std::size_t k) const { return k < outputs.size() && start.level[k] == start.level[k + 1]; }
  /// The factor of the state at evaluation `from` in the one at `to`.
  double carry(std::size_t from, std::size_t to) const { return start.state[to] / start.state[from]; }
  /// The weight of output `k` in the step from `from` to `to`.
  double weight(std::size_t k, std::size_t from, std::size_t to) const {
    return outputs[k][to] - carry(from, to) * outputs[k][from];
  }
  /// Whether that weight is only rounding, relative to the output's weight in the state at `from`.
  bool negligible(std::size_t k, std::size_t from, std::size_t to, double tolerance) const {
    return std::abs(weight(k, from, to)) <= tolerance * std::abs(outputs[k][from]);
  }
};

template <class S>
ImpulseModel run_with_impulse(const S& solver, const Schedule& schedule, double x, std::size_t impulse) {
  ImpulseModel model{impulse};
  ModelRef<double> ref(model);
  auto memory = solver.memory(x);
  double first = 0;
  for (std::size_t i = 0; i < schedule.steps(); ++i) {
    const double from = schedule[i], to = schedule[i + 1];
    if (to == 0 && !reaches_zero(solver)) {  // x <- D
      model(x, from, from, first);
      x = target_of(solver) == Target::slope ? x - from * first : first;
      break;
    }
    model(x, sigma_scale(solver, i) * from, from, first);
    solver.step(Step<double>{from, to, i, schedule.steps()}, x, first, ref, memory);
  }
  const double end = schedule[schedule.steps()];
  model(x, end, end, first);
  return model;
}

/// The row between two consecutive elements of row_begin.
inline TableRow response_row(const ImpulseResponses& r, std::size_t index) {
  constexpr double rounding = 1e-13;
  const std::size_t begin = r.row_begin[index], end = r.row_begin[index + 1];
  TableRow row{.carry = r.carry(begin, end),
               .weights = std::vector<double>(index + 1),
               .sigma_scale = r.start.sigma_scale[begin],
               .midpoints = std::vector<TableRow::Midpoint>(end - begin - 1)};
  for (std::size_t back = 0; back <= index; ++back) row.weights[back] = r.weight(r.row_begin[index - back], begin, end);
  while (row.weights.size() > 1 && r.negligible(r.row_begin[index + 1 - row.weights.size()], begin, end, rounding))
    row.weights.pop_back();
  for (std::size_t k = begin + 1; k < end; ++k)
    row.midpoints[k - begin - 1] = {r.start.level[k], r.weight(begin, begin, k), r.weight(k, begin, end),
                                    r.carry(begin, k), r.start.sigma_scale[k]};
  return row;
}

/// A table has no place for a midpoint's output in another row, or in another midpoint.
/// @throws std::invalid_argument for a solver that has such weights.
inline void require_table_form(const ImpulseResponses& r, std::size_t index) {
  constexpr double tolerance = 1e-9;
  const std::size_t begin = r.row_begin[index], end = r.row_begin[index + 1];
  for (std::size_t to = begin + 1; to <= end; ++to)
    for (std::size_t k = 0; k < to; ++k) {
      const bool in_table = to == end ? k >= begin || !r.is_midpoint(k) : k == begin;
      if (!in_table && !r.negligible(k, begin, to, tolerance))
        refuse({"the weight of the solver's evaluation ", k, " in state ", to}, r.weight(k, begin, to),
               "0, as a table's midpoints only serve the end of their own row");
    }
}

inline Table response_table(ImpulseResponses& r, Target target) {
  std::size_t rows = 0;
  for (std::size_t k = 0; k < r.outputs.size(); ++k) rows += !r.is_midpoint(k);
  r.row_begin = std::vector<std::size_t>(rows + 1);
  Table table{std::vector<double>(rows + 1), std::vector<TableRow>(rows), target};
  for (std::size_t k = 0, row = 0; k <= r.outputs.size(); ++k) {
    if (r.is_midpoint(k)) continue;
    r.row_begin[row] = k;
    table.levels[row++] = r.start.level[k];
  }
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    table.rows[i] = response_row(r, i);
    require_table_form(r, i);
  }
  table.validate();
  return table;
}

}  // namespace detail

/// The weights of a solver on a schedule, as a table whose runs are the solver's. Each evaluation begins a row, except
/// that one at the level of the next evaluation, as in Heun's method, becomes a midpoint of the row before it.
/// The weights are found by running the solver once per model output with that output 1 and all others 0.
/// A step to 0 that the solver does not make itself is the denoising evaluation of a run.
/// @param schedule  decreasing
/// @throws std::invalid_argument for solvers whose levels increase, and for solvers with midpoints that depend on each
/// other (PNDM).
template <Solver<double> S>
Table tabulate(const S& solver, const Schedule& schedule) {
  detail::ImpulseModel start = detail::run_with_impulse(solver, schedule, 1, detail::ImpulseModel::no_impulse);
  std::vector<std::vector<double>> outputs(start.level.size() - 1);
  for (std::size_t k = 0; k < outputs.size(); ++k) outputs[k] = detail::run_with_impulse(solver, schedule, 0, k).state;
  detail::ImpulseResponses responses{std::move(start), std::move(outputs)};
  return detail::response_table(responses, target_of(solver));
}

}  // namespace fewstep
