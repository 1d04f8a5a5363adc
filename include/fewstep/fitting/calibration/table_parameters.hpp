// The numbers of a table that calibration moves.
#pragma once

#include "../../solvers/table.hpp"

#include <cmath>
#include <cstddef>
#include <stdexcept>
#include <vector>

namespace fewstep::detail {

/// A number of a table that calibration moves.
struct TableParameter {
  enum Kind { weight, level, sigma_scale } kind;
  std::size_t row;           ///< the row that it belongs to; of a level: the row on its right
  std::size_t branch, term;  ///< index of a weight in TableRow::weights_of(branch); else 0
};

/// All weights, levels and sigma_scales, except the first and last level, which are given, and the first sigma_scale
/// where the first slope is analytic.
inline std::vector<TableParameter> table_parameters(const Table& table, bool analytic_first_step) {
  std::vector<TableParameter> all;
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    for (std::size_t b = 0; b < table.branches(); ++b)
      for (std::size_t k = 0; k < table.rows[i].weights_of(b).size(); ++k)
        all.push_back({TableParameter::weight, i, b, k});
    if (i > 0) all.push_back({TableParameter::level, i, 0, 0});
    if (i > 0 || !analytic_first_step) all.push_back({TableParameter::sigma_scale, i, 0, 0});
  }
  return all;
}

/// Moves a number by a dimensionless amount: a weight by `amount` times the length of its step; a level or sigma_scale
/// by the factor exp(amount). With a level, the weights of both adjacent rows are scaled to their new lengths.
inline void shift(Table& table, const TableParameter& p, double amount) {
  const auto length = [&](std::size_t row) { return table.levels[row + 1] - table.levels[row]; };
  switch (p.kind) {
    case TableParameter::weight: table.rows[p.row].weights_of(p.branch)[p.term] += amount * length(p.row); break;
    case TableParameter::sigma_scale: table.rows[p.row].sigma_scale *= std::exp(amount); break;
    case TableParameter::level:
      const double left = length(p.row - 1), right = length(p.row);
      table.levels[p.row] *= std::exp(amount);
      for (std::size_t b = 0; b < table.branches(); ++b) {
        for (double& w : table.rows[p.row - 1].weights_of(b)) w *= length(p.row - 1) / left;
        for (double& w : table.rows[p.row].weights_of(b)) w *= length(p.row) / right;
      }
  }
}

inline bool is_valid(const Table& table) {
  try {
    table.validate();
    return true;
  } catch (const std::invalid_argument&) {
    return false;
  }
}

}  // namespace fewstep::detail
