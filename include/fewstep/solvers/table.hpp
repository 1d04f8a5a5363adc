#pragma once

#include "../errors.hpp"
#include "../history.hpp"
#include "../schedule.hpp"
#include "../solver.hpp"
#include "detail/branched_step.hpp"
#include "detail/table_row.hpp"
#include "detail/table_step.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <vector>

namespace fewstep {

/// A solver whose weights are stored numbers, one row per step of its own schedule.
///
///   x' = carry x + w0 m0 + w1 m1 + ... + sum of weight m(y, level) over the row's midpoints,   y = carry x + reach m0
///
/// m0: model output at the left end, where the network is fed sigma_scale * level; m1, ...: past outputs, newest first.
/// Each midpoint has its own level, carry, reach, weight and sigma_scale and depends on no other midpoint.
/// Tables come from solvers on a schedule (tabulate.hpp), calibration (calibrate.hpp) and published learned solvers
/// (DyWeight, AdaSDE, S4S, EPD-Solver). A run may have other levels, such as predicted ones, but as many steps. The
/// weights of slopes are then multiplied by the ratio of the run's step length to the table's.
///
/// A table of several branches weighs the outputs of a denoiser's branches, such as guided()'s conditional and
/// unconditional ones, each with weights and a history of its own:
///
///   x' = carry x + sum over branches b of w_b0 m_b0 + w_b1 m_b1 + ...
///
/// A row may leave out a branch, and then uses the branch's earlier outputs only. An analytic first step is an output
/// of the first branch. The denoiser is a BranchedDenoiser; its guidance scale is the table's. NFE per step: 1 plus 1
/// per midpoint; with several branches, that of the branches evaluated. Order: depends on the numbers.
struct Table {
  using Row = TableRow;
  using Midpoint = TableRow::Midpoint;
  static constexpr std::size_t max_rows = 1'000;  // a bound for untrusted files: memory() allocates per output kept

  std::vector<double> levels = {};  ///< decreasing, above 0, the last one 0 or more; one more than rows
  std::vector<Row> rows = {};       ///< 1 to max_rows
  Target target = Target::slope;
  /// The guidance scale that a table of several branches was made for; none: any.
  std::optional<double> guidance = {};

  static constexpr bool multistep = true;
  /// A table that ends at 0 has a row for the step there; a run of another one ends with a denoising evaluation.
  bool reaches_zero() const { return !levels.empty() && levels.back() == 0; }
  int evaluations() const {
    std::size_t midpoints = 0;
    for (const Row& row : rows) midpoints = (std::max)(midpoints, row.midpoints.size());
    return static_cast<int>(midpoints) + 1;
  }
  int evaluations(StepCount& at) const {
    at.kept += at.remember;
    if (at.steps_left > rows.size()) return 1;
    return static_cast<int>(rows[rows.size() - at.steps_left].midpoints.size()) + 1;
  }
  /// Sequential NFE of a whole run whose midpoints are evaluated in parallel within each row.
  int rounds(bool analytic_first_step = false) const {
    int count = analytic_first_step ? -1 : 0;
    for (const Row& row : rows) count += row.midpoints.empty() ? 1 : 2;
    return count;
  }
  std::size_t branches() const { return rows.empty() ? 1 : rows[0].branches(); }
  std::size_t branch_evaluations(std::size_t index) const { return rows.at(index).evaluations(); }
  /// Branches evaluated in a whole run: the NFE where each branch takes one evaluation.
  std::size_t total_branch_evaluations(bool analytic_first_step) const {
    std::size_t count = 0;
    for (std::size_t i = analytic_first_step ? 1 : 0; i < rows.size(); ++i) count += rows[i].evaluations();
    return count;
  }
  /// The network is fed this times the level at the left end of step `index`.
  double sigma_scale(std::size_t index) const { return index < rows.size() ? rows[index].sigma_scale : 1; }
  Schedule schedule() const { return Schedule(levels); }
  /// The row that evaluates the output of weight k, newest first, of a branch in a row; that row itself for k = 0 where
  /// it evaluates the branch.
  std::size_t source_row(std::size_t row, std::size_t branch, std::size_t k) const {
    for (;; --row)
      if (rows[row].evaluates(branch) && k-- == 0) return row;
  }

  /// @throws std::invalid_argument naming the row and the number that is out of range.
  void validate() const {
    require(!rows.empty() && rows.size() <= max_rows, "the number of rows of Table", rows.size(), {"1 to ", max_rows});
    require(levels.size() == rows.size() + 1, "the number of levels of Table", levels.size(),
            {rows.size() + 1, ", one more than rows"});
    require(schedule().decreasing(), "the order of Table::levels", "increasing", "decreasing");
    std::vector<std::size_t> outputs(branches());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      for (std::size_t b = 0; b < outputs.size() && b < rows[i].branches(); ++b) outputs[b] += rows[i].evaluates(b);
      rows[i].validate(i, levels[i], outputs);
    }
  }

  template <State X>
  detail::TableMemory<X> memory(const X& x) const {
    detail::TableMemory<X> m{{x, kept_outputs(0)}, {}, {}};
    for (std::size_t b = 1; b < branches(); ++b) m.others.push_back({{x, kept_outputs(b)}, algebra<X>::like(x)});
    if (target == Target::slope) algebra<X>::fit(m.stretch, x);
    if (evaluations() > 1)
      for (int i = 0; i < 3; ++i) m.midpoint.push_back(algebra<X>::like(x));
    return m;
  }

  /// @throws std::invalid_argument for a schedule of another length, or a history too short for the row.
  template <State X, class M>
  void step(const Step<X>& n, X& x, X& m0, M& model, detail::TableMemory<X>& m) const {
    if (n.count != rows.size()) refuse("the number of steps", n.count, {rows.size(), ", the rows of Table"});
    for (std::size_t b = 0; b < branches(); ++b)
      rows[n.index].require_history(b == 0 ? m.past.size() : m.others[b - 1].past.size(), n.index, b);
    if (target == Target::slope) {
      const double own_step = levels[n.index + 1] - levels[n.index];
      const auto stretch = [own_step](const auto& t, const auto& s) { return (s - t) / own_step; };
      map_level<X>(m.stretch, stretch, n.from, n.to);
    }
    if (branches() > 1) {
      ModelRef<X> whole(model);
      return detail::apply_branches(rows[n.index], guidance, n, x, m0, whole, m);
    }
    detail::apply_row(rows[n.index], x, m0, model, m);
    m.past.push(m0, n);
  }

 private:
  /// Outputs of a branch that steps use after the step that evaluates them.
  std::size_t kept_outputs(std::size_t branch) const {
    std::size_t kept = 0;
    for (const Row& row : rows) {
      const std::size_t used = row.weights_of(branch).size();
      kept = (std::max)(kept, used - (used > 0 && row.evaluates(branch)));
    }
    return kept;
  }
};

}  // namespace fewstep
