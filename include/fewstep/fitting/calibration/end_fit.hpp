#pragma once

#include "table_runs.hpp"

#include <Eigen/Dense>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <stdexcept>
#include <tuple>
#include <utility>
#include <vector>

namespace fewstep::detail {

/// A number of the table that is fitted to where its runs end, and the first row that it moves.
struct TableNumber {
  enum Kind { weight, level, sigma_scale } kind;
  std::size_t row, term;
};
inline std::vector<TableNumber> numbers_of(const Table& t, bool analytic_first_step) {
  std::vector<TableNumber> all;
  for (std::size_t i = 0; i < t.rows.size(); ++i) {
    for (std::size_t k = 0; k < t.rows[i].weights.size(); ++k) all.push_back({TableNumber::weight, i, k});
    if (i > 0) all.push_back({TableNumber::level, i, 0});
    if (i > 0 || !analytic_first_step) all.push_back({TableNumber::sigma_scale, i, 0});
  }
  return all;
}

/// Weights by shares of their step; levels and clocks by factors. A moved level takes the weights of both its steps
/// along.
inline void move(Table& t, const TableNumber& n, double by) {
  const auto step = [&](std::size_t row) { return t.levels[row + 1] - t.levels[row]; };
  if (n.kind == TableNumber::weight) t.rows[n.row].weights[n.term] += by * step(n.row);
  if (n.kind == TableNumber::sigma_scale) t.rows[n.row].sigma_scale *= std::exp(by);
  if (n.kind != TableNumber::level) return;
  const double before = step(n.row - 1), after = step(n.row);
  t.levels[n.row] *= std::exp(by);
  for (double& w : t.rows[n.row - 1].weights) w *= step(n.row - 1) / before;
  for (double& w : t.rows[n.row].weights) w *= step(n.row) / after;
}

/// The sum of log(1 + square/(9 median)): samples beyond three times the usual distance, which end in another place
/// than the teacher's, hardly count (Cauchy's loss).
inline double cauchy_of(std::span<const double> squares, double median) {
  double sum = 0;
  for (const double square : squares) sum += std::log1p(square / (9 * median));
  return sum;
}

inline bool is_valid(const Table& t) {
  try {
    t.validate();
    return true;
  } catch (const std::invalid_argument&) {
    return false;
  }
}

/// How the ends answer to the table's numbers: for each batch that is fitted to a column for each number. The runs are
/// the table's.
template <State X, class D>
std::vector<std::vector<X>> answers(const Table& table, const TableRuns<X, D>& runs,
                                    const std::vector<TableNumber>& numbers, std::size_t fitted) {
  constexpr double tiny = 1e-3;
  std::vector<std::vector<X>> all;
  for (const auto& b : runs.batches) {
    if (b.first >= fitted) break;
    const X end = runs.seen(b.states.back());
    all.emplace_back();
    for (const TableNumber& n : numbers) {
      Table moved = table;
      move(moved, n, tiny);
      auto again = runs.begun(b, n.row);
      if (n.kind == TableNumber::level)
        again.states[n.row] = runs.stepped(moved, n.row - 1, b.states[n.row - 1], b.slopes);
      runs.walk(moved, again, n.row, n.kind == TableNumber::weight);
      X column = difference(runs.seen(again.states.back()), end);
      combine(column, std::tuple<>{}, [] { return std::tuple{1 / tiny}; }, column);
      all.back().push_back(std::move(column));
    }
  }
  return all;
}

/// The normal equations of the ends' distances: each sample counts as Cauchy's loss weighs it, one that is anywhere no
/// number not at all.
struct NormalEquations {
  Eigen::MatrixXd matrix;
  Eigen::VectorXd right;
};
template <State X, class D>
NormalEquations normal_equations(const TableRuns<X, D>& runs, const std::vector<std::vector<X>>& columns,
                                 const std::vector<double>& squares, std::size_t fitted, double median) {
  const auto size = static_cast<Eigen::Index>(columns.front().size());
  NormalEquations n{Eigen::MatrixXd::Zero(size, size), Eigen::VectorXd::Zero(size)};
  for (std::size_t k = 0; k < columns.size(); ++k) {
    const auto& b = runs.batches[k];
    const X missed = runs.missed(b);
    std::vector<double> weight;
    for (const double square : algebra<X>::dot(missed, missed)) {
      const std::size_t sample = b.first + weight.size();
      weight.push_back(sample < fitted && std::isfinite(square) ? 1 / (1 + squares[sample] / (9 * median)) : 0);
    }
    const auto sum = [&](const X& x, const X& y) {
      const std::vector<double> product = algebra<X>::dot(x, y);
      double total = 0;
      for (std::size_t at = 0; at < product.size(); ++at)
        if (weight[at] > 0) total += product[at] * weight[at];
      return total;
    };
    for (const X& column : columns[k]) {
      const std::vector<double> own = algebra<X>::dot(column, column);
      for (std::size_t at = 0; at < own.size(); ++at)
        if (!std::isfinite(own[at])) weight[at] = 0;
    }
    for (Eigen::Index i = 0; i < size; ++i) {
      const X& column = columns[k][static_cast<std::size_t>(i)];
      n.right(i) -= sum(column, missed);
      for (Eigen::Index j = 0; j <= i; ++j) n.matrix(i, j) += sum(column, columns[k][static_cast<std::size_t>(j)]);
    }
  }
  n.matrix = n.matrix.selfadjointView<Eigen::Lower>();
  return n;
}

/// Corrects the columns by what a step did to the ends, so that they would have foretold it (Broyden 1965), each number
/// moved as far as `scale` tells its steps apart.
/// @param was  of each batch what was seen of the ends before the step
template <State X, class D>
void learn_from_step(std::vector<std::vector<X>>& columns, const TableRuns<X, D>& runs, const std::vector<X>& was,
                     const Eigen::VectorXd& step, const Eigen::VectorXd& scale) {
  const Eigen::VectorXd direction = scale.cwiseProduct(step) / step.dot(scale.cwiseProduct(step));
  for (std::size_t k = 0; k < columns.size(); ++k) {
    X unforeseen = difference(runs.seen(runs.batches[k].states.back()), was[k]);
    const auto add = [](X& to, double factor, const X& x) {
      combine(to, std::tuple<>{}, [factor] { return std::tuple{unit, factor}; }, to, x);
    };
    for (std::size_t i = 0; i < columns[k].size(); ++i)
      add(unforeseen, -step(static_cast<Eigen::Index>(i)), columns[k][i]);
    for (std::size_t i = 0; i < columns[k].size(); ++i)
      add(columns[k][i], direction(static_cast<Eigen::Index>(i)), unforeseen);
  }
}

/// Steps of Gauss and Newton on the distances of the ends, with Levenberg's damping and the weights of Cauchy's loss.
/// All by the same finite differences of runs, which cost many, corrected by what each step showed, which cost a run.
/// Those that bring the samples before number `fitted` nearer are taken. The runs are the table's.
/// @returns false: none was taken
template <State X, class D>
bool fit_ends(Table& table, TableRuns<X, D>& runs, std::size_t fitted, bool analytic_first_step, int tries,
              double& damping) {
  const std::vector<TableNumber> numbers = numbers_of(table, analytic_first_step);
  auto columns = answers(table, runs, numbers, fitted);
  bool taken = false;
  damping = (std::min)(damping, 1e-2);
  for (; tries > 0; --tries) {
    const std::vector<double> each = runs.squares();
    const double median = median_of({each.begin(), each.begin() + static_cast<std::ptrdiff_t>(fitted)});
    const double before = cauchy_of(std::span(each).first(fitted), median);
    const auto [matrix, right] = normal_equations(runs, columns, each, fitted, median);
    Table moved = table;
    Eigen::VectorXd step;
    for (bool valid = false; !valid;
         damping *= valid ? 1 : 10) {  // levels out of order: a shorter step keeps them in it
      Eigen::MatrixXd damped = matrix;
      damped.diagonal() *= 1 + damping;
      step = damped.ldlt().solve(right);
      if (!step.allFinite()) return taken;
      moved = table;
      for (std::size_t i = 0; i < numbers.size(); ++i) move(moved, numbers[i], step(static_cast<Eigen::Index>(i)));
      valid = is_valid(moved);
    }
    auto saved = runs.saved();
    std::vector<X> was;
    for (const auto& b : runs.batches) was.push_back(runs.seen(b.states.back()));
    runs.walk_all(moved);
    learn_from_step(columns, runs, was, step, matrix.diagonal());
    const std::vector<double> now = runs.squares();
    if (cauchy_of(std::span(now).first(fitted), median) < before) {
      table = std::move(moved);
      taken = true;
      damping = (std::max)(damping / 10, 1e-12);
    } else {
      runs.restore(std::move(saved));
      damping *= 10;
    }
  }
  return taken;
}

}  // namespace fewstep::detail
