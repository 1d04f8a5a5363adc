// The start of a fit to a range of guidance scales.
#pragma once

#include "../errors.hpp"
#include "../solvers/guidance_table.hpp"
#include "branched.hpp"

#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

namespace fewstep {

namespace detail {

/// Appends the branches of another row, without the weight of an analytic output, which only the first branch has.
/// @param analytic_rows  rows from the first one whose outputs are analytic: 0 or 1
inline void append_branches(TableRow& row, const std::vector<TableRow>& rows, std::size_t index,
                            std::size_t analytic_rows) {
  for (std::size_t b = 0; b < rows[index].branches(); ++b) {
    TableRow::Branch branch{rows[index].weights_of(b), rows[index].evaluates(b) && index >= analytic_rows};
    if (b == 0 && !branch.weights.empty() && source_row(rows, index, 0, branch.weights.size() - 1) < analytic_rows)
      branch.weights.pop_back();
    row.others.push_back(std::move(branch));
  }
}

}  // namespace detail

/// A table as one for a range of guidance scales. A table of one branch becomes that of guided() at each node; one of
/// several branches has the same weights at each, which calibrate() then fits.
/// @param table                of slopes, without midpoints
/// @param analytic_first_step  whether it is run with one
/// @throws std::invalid_argument as branched(), or for scales out of range.
inline GuidanceTable over_scales(const Table& table, const GuidanceScales& scales, bool analytic_first_step) {
  scales.validate();
  GuidanceTable made{scales, {}};
  for (const double scale : scales.nodes) {
    const Table own = table.branches() > 1 ? table : branched(table, scale, analytic_first_step);
    if (made.table.rows.empty()) {
      made.table = own;
      made.table.guidance.reset();
      continue;
    }
    for (std::size_t i = 0; i < own.rows.size(); ++i)
      detail::append_branches(made.table.rows[i], own.rows, i, analytic_first_step ? 1 : 0);
  }
  made.validate();
  return made;
}

/// The guidance scale of a batch: evenly spread over the logarithm of the range, also among any few batches in a row.
inline double scale_of_batch(const GuidanceScales& scales, std::size_t batch) {
  constexpr double golden = 0.6180339887498949;
  const double part = std::fmod(0.5 + golden * static_cast<double>(batch), 1.);
  return scales.nodes.front() * std::pow(scales.nodes.back() / scales.nodes.front(), part);
}

}  // namespace fewstep
