// Which outputs the rows of a Table make, use and keep.
#pragma once

#include "../../errors.hpp"
#include "table_row.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace fewstep::detail {

/// The row that evaluates the output of weight k, newest first, of a branch in a row; that row itself for k = 0 where
/// it evaluates the branch.
inline std::size_t source_row(const std::vector<TableRow>& rows, std::size_t row, std::size_t branch, std::size_t k) {
  for (;; --row)
    if (rows[row].evaluates(branch) && k-- == 0) return row;
}

/// Outputs of a branch that steps use after the step that evaluates them.
inline std::size_t kept_outputs(const std::vector<TableRow>& rows, std::size_t branch) {
  std::size_t kept = 0;
  for (const TableRow& row : rows) {
    const std::size_t used = row.weights_of(branch).size();
    kept = (std::max)(kept, used - (used > 0 && row.evaluates(branch)));
  }
  return kept;
}

/// The most midpoints of a row.
inline std::size_t most_midpoints(const std::vector<TableRow>& rows) {
  std::size_t most = 0;
  for (const TableRow& row : rows) most = (std::max)(most, row.midpoints.size());
  return most;
}

inline std::size_t rows_with_midpoints(const std::vector<TableRow>& rows) {
  std::size_t count = 0;
  for (const TableRow& row : rows) count += !row.midpoints.empty();
  return count;
}

/// Branches that rows `first` and on evaluate.
inline std::size_t branch_evaluations(const std::vector<TableRow>& rows, std::size_t first) {
  std::size_t count = 0;
  for (std::size_t i = first; i < rows.size(); ++i) count += rows[i].evaluations();
  return count;
}

/// @throws std::invalid_argument naming the row and the number that is out of range.
inline void validate_rows(const std::vector<TableRow>& rows, const std::vector<double>& levels) {
  std::vector<std::size_t> outputs(rows[0].branches());  // of each branch so far
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (std::size_t b = 0; b < outputs.size() && b < rows[i].branches(); ++b) outputs[b] += rows[i].evaluates(b);
    rows[i].validate(i, levels[i], outputs);
  }
}

}  // namespace fewstep::detail
