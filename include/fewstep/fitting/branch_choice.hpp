// Which evaluations of a table's branches are worth their cost.
#pragma once

#include "../errors.hpp"
#include "../solvers/table.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace fewstep {

/// A table in which a row does not evaluate a branch. In this row and later ones, the branch's previous output takes
/// over the weight of the missing one; where there is no previous output, another branch's output does.
/// @throws std::invalid_argument where the row evaluates no other branch, or not this one.
inline Table leave_out(Table table, std::size_t row, std::size_t branch) {
  require(table.rows.at(row).evaluations() > 1 && table.rows[row].evaluates(branch), "the branch to leave out", branch,
          "one of several that the row evaluates");
  const std::size_t other = branch == 0 ? 1 : 0;
  for (std::size_t i = row; i < table.rows.size(); ++i) {
    std::vector<double>& weights = table.rows[i].weights_of(branch);
    std::size_t k = 0;
    while (k < weights.size() && detail::source_row(table.rows, i, branch, k) != row) ++k;
    if (k == weights.size()) continue;
    const double weight = weights[k];
    weights.erase(weights.begin() + static_cast<std::ptrdiff_t>(k));
    if (k < weights.size()) {
      weights[k] += weight;
      continue;
    }
    std::vector<double>& of_other = table.rows[i].weights_of(other);
    if (of_other.empty()) of_other.push_back(0);
    of_other[(std::min)(k, of_other.size() - 1)] += weight;
  }
  if (branch == 0) table.rows[row].evaluated = false;
  else table.rows[row].others[branch - 1].evaluated = false;
  return table;
}

/// The most fits that spend_evaluations() makes to leave out a number of evaluations, each chosen among all rows that
/// evaluate all branches.
inline std::size_t fits_to_spend(std::size_t rows, std::size_t branches, std::size_t left_out) {
  std::size_t fits = 0;
  for (std::size_t k = 0; k < left_out; ++k) fits += branches * (rows - (std::min)(rows, k));
  return fits;
}

/// Leaves out evaluations of branches, one at a time and each time the one without which the fitted table is best,
/// until a run takes no more than `evaluations`.
/// @param table        of several branches
/// @param evaluations  of branches, per run
/// @param fit          (const Table&) -> a fit of it, with a member function score(): the less, the better
/// @return the last fit; nothing where no row can spare an evaluation
template <class F>
auto spend_evaluations(Table table, std::size_t evaluations, bool analytic_first_step, const F& fit) {
  std::optional<std::invoke_result_t<const F&, const Table&>> best;
  while (table.total_branch_evaluations(analytic_first_step) > evaluations) {
    best.reset();
    Table without_one;
    for (std::size_t i = analytic_first_step ? 1 : 0; i < table.rows.size(); ++i)
      for (std::size_t b = 0; b < table.branches(); ++b) {
        if (table.rows[i].evaluations() < 2 || !table.rows[i].evaluates(b)) continue;
        Table candidate = leave_out(table, i, b);
        auto fitted = fit(candidate);
        if (best && !(fitted.score() < best->score())) continue;
        best = std::move(fitted);
        without_one = std::move(candidate);
      }
    if (!best) break;
    table = std::move(without_one);
  }
  return best;
}

}  // namespace fewstep
