#pragma once

#include "table_runs.hpp"

#include <Eigen/Dense>

#include <cmath>
#include <cstddef>
#include <limits>
#include <stdexcept>
#include <tuple>
#include <utility>
#include <vector>

namespace fewstep::detail {

/// A number of the table that is fitted to where its runs end, and the first row that it moves.
struct TableNumber {
  enum Kind { weight, level, clock } kind;
  std::size_t row, term;
};
inline std::vector<TableNumber> numbers_of(const Table& t, bool analytic_first_step) {
  std::vector<TableNumber> all;
  for (std::size_t i = 0; i < t.rows.size(); ++i) {
    for (std::size_t k = 0; k < t.rows[i].weights.size(); ++k) all.push_back({TableNumber::weight, i, k});
    if (i > 0) all.push_back({TableNumber::level, i, 0});
    if (i > 0 || !analytic_first_step) all.push_back({TableNumber::clock, i, 0});
  }
  return all;
}

/// Weights by shares of their step; levels and clocks by factors. A moved level takes the weights of both its steps along.
inline void move(Table& t, const TableNumber& n, double by) {
  const auto step = [&](std::size_t row) { return t.levels[row + 1] - t.levels[row]; };
  if (n.kind == TableNumber::weight) t.rows[n.row].weights[n.term] += by * step(n.row);
  if (n.kind == TableNumber::clock) t.rows[n.row].clock *= std::exp(by);
  if (n.kind != TableNumber::level) return;
  const double before = step(n.row - 1), after = step(n.row);
  t.levels[n.row] *= std::exp(by);
  for (double& w : t.rows[n.row - 1].weights) w *= step(n.row - 1) / before;
  for (double& w : t.rows[n.row].weights) w *= step(n.row) / after;
}

/// Of samples from a number on, the sum of log(1 + square/(9 median)): those beyond three times the usual distance, which end in another
/// place than the teacher's, hardly count (Cauchy's loss).
inline double cauchy_of(const std::vector<double>& squares, std::size_t first, double median) {
  double sum = 0;
  for (std::size_t i = first; i < squares.size(); ++i) sum += std::log1p(squares[i] / (9 * median));
  return std::isfinite(sum) ? sum : std::numeric_limits<double>::infinity();
}

/// One step of Gauss and Newton on the distances of the ends, with Levenberg's damping and the weights of Cauchy's loss, by finite
/// differences of runs. Taken if held-out samples, those from number `fitted` on, come nearer. The runs are the table's.
/// @returns false: no damping brought them nearer
template <State X, class D>
bool fit_ends(Table& table, TableRuns<X, D>& runs, std::size_t fitted, bool analytic_first_step, double& damping) {
  constexpr double tiny = 1e-3;
  const std::vector<double> each = runs.squares();
  const double median = median_of({each.begin(), each.begin() + static_cast<std::ptrdiff_t>(fitted)});
  const double before = cauchy_of(each, fitted, median);
  const std::vector<TableNumber> all = numbers_of(table, analytic_first_step);
  const auto size = static_cast<Eigen::Index>(all.size());
  Eigen::MatrixXd normal = Eigen::MatrixXd::Zero(size, size);
  Eigen::VectorXd right = Eigen::VectorXd::Zero(size);
  for (const auto& b : runs.batches) {
    if (b.first >= fitted) continue;
    const X end = runs.as_shown(b.states.back());
    std::vector<X> columns;
    for (const TableNumber& n : all) {
      Table moved = table;
      move(moved, n, tiny);
      auto again = runs.begun(b, n.row);
      if (n.kind == TableNumber::level) again.states[n.row] = runs.stepped(moved, n.row - 1, b.states[n.row - 1], b.slopes);
      runs.walk(moved, again, n.row, n.kind == TableNumber::weight);
      columns.push_back(difference(runs.as_shown(again.states.back()), end));
      combine(columns.back(), std::tuple<>{}, [] { return std::tuple{1 / tiny}; }, columns.back());
    }
    const auto sum = [&](const X& x, const X& y) {
      const std::vector<double> product = algebra<X>::dot(x, y);
      double total = 0;
      for (std::size_t n = 0; n < product.size() && b.first + n < fitted; ++n) total += product[n] / (1 + each[b.first + n] / (9 * median));
      return total;
    };
    const X missed = runs.missed(b);
    for (Eigen::Index i = 0; i < size; ++i) {
      right(i) += sum(columns[static_cast<std::size_t>(i)], missed);
      for (Eigen::Index j = 0; j <= i; ++j) normal(i, j) += sum(columns[static_cast<std::size_t>(i)], columns[static_cast<std::size_t>(j)]);
    }
  }
  normal = normal.selfadjointView<Eigen::Lower>();
  for (int attempt = 0; attempt < 6; ++attempt, damping *= 10) {
    Eigen::MatrixXd damped = normal;
    damped.diagonal() *= 1 + damping;
    const Eigen::VectorXd step = damped.ldlt().solve(-right);
    if (!step.allFinite()) continue;
    Table moved = table;
    for (Eigen::Index i = 0; i < size; ++i) move(moved, all[static_cast<std::size_t>(i)], step(i));
    try {
      moved.validate();
    } catch (const std::invalid_argument&) {  // levels out of order: a shorter step keeps them in it
      continue;
    }
    std::vector<typename TableRuns<X, D>::Batch> saved;
    for (auto& b : runs.batches) saved.push_back(runs.begun(b, b.slopes.size()));
    runs.walk_all(moved);
    if (cauchy_of(runs.squares(), fitted, median) < before) {
      table = std::move(moved);
      damping /= 10;
      return true;
    }
    for (std::size_t i = 0; i < saved.size(); ++i) {
      runs.batches[i].states = std::move(saved[i].states);
      runs.batches[i].slopes = std::move(saved[i].slopes);
    }
  }
  return false;
}

}  // namespace fewstep::detail
