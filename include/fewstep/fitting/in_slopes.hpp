// A table of denoised batches as a table of slopes.
#pragma once

#include "../enum_names.hpp"
#include "../errors.hpp"
#include "../solvers/table.hpp"

#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

namespace fewstep {

namespace detail {

/// The states of a table's run as sums of its slopes: state i is the start plus sum over k of sum[i][k] d_k.
struct SlopeSums {
  std::vector<std::vector<double>> sum;

  /// Adds the state after row i.
  /// @param own  weight of the start in it, which is 1 for a consistent solver
  void add_row(const Table& table, std::size_t i, double& own) {
    const TableRow& row = table.rows[i];
    std::vector<double> next(i + 1);
    const auto add_state = [&](std::size_t k, double weight) {
      for (std::size_t j = 0; j < k; ++j) next[j] += weight * sum[k][j];
    };
    own = row.carry;
    add_state(i, row.carry);
    for (std::size_t age = 0; age < row.weights.size(); ++age) {
      const std::size_t k = i - age;
      own += row.weights[age];
      add_state(k, row.weights[age]);  // D_k = x_k - sigma_k d_k
      next[k] -= row.weights[age] * table.levels[k];
    }
    sum.push_back(std::move(next));
  }
};

}  // namespace detail

/// A table of slopes whose runs are those of a table of denoised batches: each D_k is x_k - sigma_k d_k, where the
/// state x_k is the start plus slopes. Rows then use all slopes so far. A table of slopes is returned as it is.
/// @param table  one of a solver that keeps a constant D exactly, as all of this library do; without midpoints, of one
///               branch, with sigma_scales of 1 where its target is the denoised batch
/// @throws std::invalid_argument for another table.
inline Table in_slopes(Table table) {
  table.validate();
  if (table.target == Target::slope) return table;
  require(table.evaluations() == 1, "the table", "one with midpoints", "tables of one evaluation per row");
  require(table.branches() == 1, "the number of branches of the table", table.branches(), "1");
  constexpr double tolerance = 1e-9;
  detail::SlopeSums states{{{}}};
  std::vector<TableRow> rows;
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    require(table.rows[i].sigma_scale == 1, {"Table::rows[", i, "].sigma_scale"}, table.rows[i].sigma_scale, "1");
    double own = 0;
    states.add_row(table, i, own);
    require(std::abs(own - 1) < tolerance, {"the sum of Table::rows[", i, "]'s weights"}, own, "1");
    TableRow row{.carry = 1, .weights = std::vector<double>(i + 1)};
    for (std::size_t k = 0; k <= i; ++k) row.weights[i - k] = states.sum[i + 1][k] - (k < i ? states.sum[i][k] : 0);
    rows.push_back(std::move(row));
  }
  return {std::move(table.levels), std::move(rows), Target::slope};
}

}  // namespace fewstep
