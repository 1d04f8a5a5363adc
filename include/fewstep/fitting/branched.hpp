// A table of one branch as a table of several.
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

/// Moves a row's weights to branches that are combined with the given weights. Outputs of row `analytic_rows` - 1 and
/// before are analytic ones, which only the first branch has.
inline void split_row(TableRow& row, std::size_t index, const std::vector<double>& combination,
                      std::size_t analytic_rows) {
  const std::vector<double> whole = std::move(row.weights);
  row.weights = {};
  row.others.resize(combination.size() - 1);
  for (std::size_t b = 0; b < combination.size(); ++b) {
    for (std::size_t k = 0; k < whole.size(); ++k) {
      const bool analytic = index < k + analytic_rows;
      if (!analytic) row.weights_of(b).push_back(combination[b] * whole[k]);
      else if (b == 0) row.weights.push_back(whole[k]);
    }
    if (b > 0) row.others[b - 1].evaluated = index >= analytic_rows;
  }
}

}  // namespace detail

/// A table of slopes whose rows weigh the branches of a denoiser D = w0 D0 + w1 D1 + ... Its runs are those of `table`
/// with D: a start for calibrate(), which then fits the branches' weights apart.
/// @param table                a table of slopes of one branch, without midpoints
/// @param combination          w0, w1, ... of branches 0, 1, ...; their sum is 1
/// @param analytic_first_step  whether it is run with one; the analytic slope is an output of branch 0
/// @throws std::invalid_argument for another table, or weights that do not add up to 1.
inline Table branched(Table table, const std::vector<double>& combination, bool analytic_first_step) {
  table.validate();
  require(table.target == Target::slope, "the table's target", to_string(table.target), "slope");
  require(table.evaluations() == 1, "the table", "one with midpoints", "tables of one evaluation per row");
  require(table.branches() == 1, "the number of branches of the table", table.branches(), "1");
  double sum = 0;
  for (const double weight : combination) sum += weight;
  require(std::abs(sum - 1) < 1e-9, "the sum of the branches' weights", sum, "1");
  if (combination.size() == 2) table.guidance = combination[0];
  for (std::size_t i = 0; i < table.rows.size(); ++i)
    detail::split_row(table.rows[i], i, combination, analytic_first_step ? 1 : 0);
  return table;
}

/// The same for guided(), whose branches are the conditional and the unconditional denoiser.
/// @param guidance  GuidanceOptions::scale of the denoiser
inline Table branched(Table table, double guidance, bool analytic_first_step) {
  return branched(std::move(table), std::vector<double>{guidance, 1 - guidance}, analytic_first_step);
}

}  // namespace fewstep
