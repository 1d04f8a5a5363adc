// The first stage of a calibration: the weights of each row by least squares.
#pragma once

#include "sample_sums.hpp"
#include "table_runner.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

namespace fewstep::detail {

/// The least-squares problem of one row, sum_k w_k slope_k = target with slopes newest first, on the samples that are
/// fitted to and on the held-out ones.
struct StepProblem {
  NormalEquations fitted, held_out;
};

/// Solves the problem on the fitted samples for the newest 1, 2, ... slopes, each with three strengths of the ridge.
/// @return the weights with the least squared error on the held-out samples; none where all slopes vanish
inline std::vector<double> best_step_weights(const StepProblem& problem, double ridge) {
  constexpr double ridge_factors[] = {1, 1e2, 1e4};
  std::vector<double> best;
  double least_error = std::numeric_limits<double>::infinity(), trace = 0;
  for (std::size_t terms = 1; terms <= problem.fitted.right.size(); ++terms) {
    trace += problem.fitted.matrix(terms - 1, terms - 1);
    const double scale = trace / static_cast<double>(terms);
    if (!(scale > 0) || !std::isfinite(scale)) break;
    for (const double factor : ridge_factors) {
      NormalEquations scaled(terms);
      for (std::size_t i = 0; i < terms; ++i) {
        scaled.right[i] = problem.fitted.right[i] / scale;
        for (std::size_t j = 0; j <= i; ++j) scaled.matrix(i, j) = problem.fitted.matrix(i, j) / scale;
        scaled.matrix(i, i) += factor * ridge;
      }
      std::vector<double> weights = solve_symmetric(std::move(scaled.matrix), scaled.right);
      const double error = problem.held_out.error(weights);
      if (!all_finite(weights) || !(error < least_error)) continue;
      least_error = error;
      best = std::move(weights);
    }
  }
  return best;
}

/// Evaluates the slopes at the left end of a row and sums the row's problem over all batches. A sample counts in all
/// sums or in none: it is ignored where its newest slope or its target is not finite. Older slopes need no check, since
/// a non-finite one makes all later states, and with them the target, non-finite.
/// @param fitted  samples from this index on are held out
/// @param terms   the number of slopes
template <State X>
StepProblem step_problem(const Table& table, std::size_t row, const TableRunner<X>& runner,
                         std::vector<TableRun<X>>& runs, std::size_t fitted, std::size_t terms) {
  StepProblem problem{NormalEquations(terms), NormalEquations(terms)};
  const double h = table.levels[row + 1] - table.levels[row];
  for (std::size_t b = 0; b < runs.size(); ++b) {
    TableRun<X>& run = runs[b];
    runner.slope(table, row, run.states[row], run.slopes[row]);
    X target = difference(runner.teacher_state(b, row), run.states[row]);
    scale(target, 1 / h, target);

    const std::vector<double> slope_squares = algebra<X>::dot(run.slopes[row], run.slopes[row]),
                              target_squares = algebra<X>::dot(target, target);
    std::vector<double> in_fitted(target_squares.size()), in_held_out(target_squares.size());
    for (std::size_t n = 0; n < target_squares.size(); ++n)
      if (std::isfinite(slope_squares[n]) && std::isfinite(target_squares[n]))
        (runner.first_sample(b) + n < fitted ? in_fitted : in_held_out)[n] = 1;
    add_batch(problem.fitted, &run.slopes[row], -1, target, in_fitted);
    add_batch(problem.held_out, &run.slopes[row], -1, target, in_held_out);
  }
  return problem;
}

/// Fits the weights of each row by least squares, so that its step from the table's own state lands on the teacher's
/// next state. Afterwards `runs` are those of the new table.
/// @param fitted   the number of samples that are fitted to, the first ones; the others are held out and select the
///                 number of slopes and the ridge of each row
/// @param history  the most slopes that a row may use
/// @param ridge    added to the diagonal of the Gram matrix, whose mean diagonal element is 1; 100 and 10,000 times as
///                 much are tried too
/// @return the number of rows without slopes to fit: they become Euler steps
template <State X>
std::size_t fit_steps(Table& table, const TableRunner<X>& runner, std::vector<TableRun<X>>& runs, std::size_t fitted,
                      std::size_t history, double ridge) {
  std::size_t without_slopes = 0;
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    const std::size_t terms = (std::min)(i + 1, history);
    std::vector<double> weights = best_step_weights(step_problem(table, i, runner, runs, fitted, terms), ridge);
    if (weights.empty()) {
      ++without_slopes;
      weights.push_back(1);
    }
    for (double& w : weights) w *= table.levels[i + 1] - table.levels[i];
    table.rows[i].carry = 1;
    table.rows[i].weights = std::move(weights);
    for (TableRun<X>& run : runs) runner.step(table, i, run);
  }
  return without_slopes;
}

}  // namespace fewstep::detail
