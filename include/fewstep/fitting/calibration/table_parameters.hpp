#pragma once

#include "../../solvers/table.hpp"

#include <cmath>
#include <cstddef>
#include <stdexcept>
#include <vector>

namespace fewstep::detail {

/// A number of a table that calibration may move.
struct TableParameter {
  enum Kind { weight, level, sigma_scale } kind;
  std::size_t row;   ///< the first row that evaluates or ends elsewhere when it moves; a level: the row's left end
  std::size_t term;  ///< of a weight: index in TableRow::weights
};

/// Every weight, level and sigma_scale but the first level and the last, which are given, and but the first sigma_scale
/// where the first slope is analytic.
inline std::vector<TableParameter> table_parameters(const Table& table, bool analytic_first_step) {
  std::vector<TableParameter> all;
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    for (std::size_t k = 0; k < table.rows[i].weights.size(); ++k) all.push_back({TableParameter::weight, i, k});
    if (i > 0) all.push_back({TableParameter::level, i, 0});
    if (i > 0 || !analytic_first_step) all.push_back({TableParameter::sigma_scale, i, 0});
  }
  return all;
}

/// Moves a number by `amount` in its own unit: a weight by that share of its step's length, a level or sigma_scale by
/// the factor exp(amount). A level scales the weights of the steps on both sides with their lengths.
inline void shift(Table& table, const TableParameter& p, double amount) {
  const auto length = [&](std::size_t row) { return table.levels[row + 1] - table.levels[row]; };
  switch (p.kind) {
    case TableParameter::weight: table.rows[p.row].weights[p.term] += amount * length(p.row); break;
    case TableParameter::sigma_scale: table.rows[p.row].sigma_scale *= std::exp(amount); break;
    case TableParameter::level:
      const double left = length(p.row - 1), right = length(p.row);
      table.levels[p.row] *= std::exp(amount);
      for (double& w : table.rows[p.row - 1].weights) w *= length(p.row - 1) / left;
      for (double& w : table.rows[p.row].weights) w *= length(p.row) / right;
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
