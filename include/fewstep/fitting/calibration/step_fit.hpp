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

/// A slope that a row can use: that of weight `term` of a branch.
struct SlopeTerm {
  std::size_t branch, term;
};

/// The slopes of a row by age, those of the newest evaluations of all branches first.
/// @param history  the most slopes per branch
inline std::vector<SlopeTerm> slope_terms(const Table& table, std::size_t row, std::size_t history) {
  std::vector<std::size_t> outputs(table.branches());
  for (std::size_t b = 0; b < outputs.size(); ++b)
    for (std::size_t i = 0; i <= row; ++i) outputs[b] += table.rows[i].evaluates(b);
  std::vector<SlopeTerm> terms;
  for (std::size_t k = 0; k < (std::min)(row + 1, history); ++k)
    for (std::size_t b = 0; b < outputs.size(); ++b)
      if (k < outputs[b]) terms.push_back({b, k});
  return terms;
}

/// 1 for each sample whose target and slopes at the left end of a row are finite, else 0. Older slopes need no check,
/// since a non-finite one makes all later states, and with them the target, non-finite.
template <State X>
std::vector<double> finite_samples(const TableRow& row, std::size_t index, const TableRun<X>& run, const X& target) {
  std::vector<double> finite = algebra<X>::dot(target, target);
  for (double& square : finite) square = std::isfinite(square);
  for (std::size_t b = 0; b < run.slopes.size(); ++b) {
    if (!row.evaluates(b)) continue;
    const std::vector<double> squares = algebra<X>::dot(run.slopes[b][index], run.slopes[b][index]);
    for (std::size_t n = 0; n < finite.size(); ++n)
      if (!std::isfinite(squares[n])) finite[n] = 0;
  }
  return finite;
}

/// Evaluates the slopes at the left end of a row and sums the row's problem over all batches. A sample counts in all
/// sums or in none.
/// @param fitted  samples from this index on are held out
/// @param terms   the slopes
template <State X>
StepProblem step_problem(const Table& table, std::size_t row, const TableRunner<X>& runner,
                         std::vector<TableRun<X>>& runs, std::size_t fitted, const std::vector<SlopeTerm>& terms) {
  StepProblem problem{NormalEquations(terms.size()), NormalEquations(terms.size())};
  const double h = table.levels[row + 1] - table.levels[row];
  for (std::size_t b = 0; b < runs.size(); ++b) {
    TableRun<X>& run = runs[b];
    runner.evaluate(table, row, run);
    X target = difference(runner.teacher_state(b, row), run.states[row]);
    scale(target, 1 / h, target);

    std::vector<double> in_fitted = finite_samples(table.rows[row], row, run, target), in_held_out = in_fitted;
    for (std::size_t n = 0; n < in_fitted.size(); ++n)
      (runner.first_sample(b) + n < fitted ? in_held_out : in_fitted)[n] = 0;
    std::vector<const X*> columns;
    for (const SlopeTerm& t : terms)
      columns.push_back(&run.slopes[t.branch][source_row(table.rows, row, t.branch, t.term)]);
    add_batch(problem.fitted, columns, target, in_fitted);
    add_batch(problem.held_out, columns, target, in_held_out);
  }
  return problem;
}

/// Fits the weights of each row by least squares, so that its step from the table's own state lands on the teacher's
/// next state. Afterwards `runs` are those of the new table.
/// @param fitted   the number of samples that are fitted to, the first ones; the others are held out and select the
///                 number of slopes and the ridge of each row
/// @param history  the most slopes per branch that a row may use
/// @param ridge    added to the diagonal of the Gram matrix, whose mean diagonal element is 1; 100 and 10,000 times as
///                 much are tried too
/// @return the number of rows without slopes to fit: they become Euler steps
template <State X>
std::size_t fit_steps(Table& table, const TableRunner<X>& runner, std::vector<TableRun<X>>& runs, std::size_t fitted,
                      std::size_t history, double ridge) {
  std::size_t without_slopes = 0;
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    TableRow& row = table.rows[i];
    const double h = table.levels[i + 1] - table.levels[i];
    const std::vector<SlopeTerm> terms = slope_terms(table, i, history);
    const std::vector<double> weights = best_step_weights(step_problem(table, i, runner, runs, fitted, terms), ridge);
    row.carry = 1;
    for (std::size_t b = 0; b < row.branches(); ++b) row.weights_of(b).clear();
    for (std::size_t t = 0; t < weights.size(); ++t) row.weights_of(terms[t].branch).push_back(h * weights[t]);
    if (weights.empty()) {
      ++without_slopes;
      row.weights_of(terms[0].branch).push_back(h);
    }
    for (TableRun<X>& run : runs) runner.step(table, i, run);
  }
  return without_slopes;
}

}  // namespace fewstep::detail
