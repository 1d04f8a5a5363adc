#pragma once

#include "../errors.hpp"
#include "../history.hpp"
#include "../schedule.hpp"
#include "../solver.hpp"
#include "detail/branched_step.hpp"
#include "detail/table_outputs.hpp"
#include "detail/table_row.hpp"
#include "detail/table_step.hpp"

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
/// A table of several branches weighs the outputs of a BranchedDenoiser, such as guided()'s conditional and
/// unconditional ones: x' = carry x + sum over branches b of w_b0 m_b0 + w_b1 m_b1 + ... A row may leave out a branch,
/// and then uses its earlier outputs only. An analytic first step is an output of the first branch. NFE per step: 1
/// plus 1 per midpoint; with several branches, that of the branches evaluated. Order: depends on the numbers.
struct Table {
  using Row = TableRow;
  using Midpoint = TableRow::Midpoint;
  static constexpr std::size_t max_rows = 1'000;  // a bound for untrusted files: memory() allocates per output kept

  std::vector<double> levels = {};  ///< decreasing, above 0, the last one 0 or more; one more than rows
  std::vector<Row> rows = {};       ///< 1 to max_rows
  Target target = Target::slope;
  std::optional<double> guidance = {};  ///< the scale that a table of several branches was made for; none: any
  static constexpr bool multistep = true;
  /// A table that ends at 0 has a row for the step there; a run of another one ends with a denoising evaluation.
  bool reaches_zero() const { return !levels.empty() && levels.back() == 0; }
  int evaluations() const { return static_cast<int>(detail::most_midpoints(rows)) + 1; }
  int evaluations(StepCount& at) const {
    at.kept += at.remember;
    if (at.steps_left > rows.size()) return 1;
    return static_cast<int>(rows[rows.size() - at.steps_left].midpoints.size()) + 1;
  }
  /// Sequential NFE of a whole run whose midpoints are evaluated in parallel within each row.
  int rounds(bool analytic_first_step = false) const {
    return static_cast<int>(rows.size() + detail::rows_with_midpoints(rows)) - analytic_first_step;
  }

  std::size_t branches() const { return rows.empty() ? 1 : rows[0].branches(); }
  std::size_t branch_evaluations(std::size_t index) const { return rows.at(index).evaluations(); }
  /// Branches evaluated in a whole run: the NFE where each branch takes one evaluation.
  std::size_t total_branch_evaluations(bool analytic_first_step) const {
    return detail::branch_evaluations(rows, analytic_first_step ? 1 : 0);
  }
  /// The network is fed this times the level at the left end of step `index`.
  double sigma_scale(std::size_t index) const { return index < rows.size() ? rows[index].sigma_scale : 1; }
  Schedule schedule() const { return Schedule(levels); }

  /// @throws std::invalid_argument naming the row and the number that is out of range.
  void validate() const {
    require(!rows.empty() && rows.size() <= max_rows, "the number of rows of Table", rows.size(), {"1 to ", max_rows});
    require(levels.size() == rows.size() + 1, "the number of levels of Table", levels.size(),
            {rows.size() + 1, ", one more than rows"});
    require(schedule().decreasing(), "the order of Table::levels", "increasing", "decreasing");
    detail::validate_rows(rows, levels);
  }

  template <State X>
  detail::TableMemory<X> memory(const X& x) const {
    detail::TableMemory<X> m(rows, x);
    if (target == Target::slope) algebra<X>::fit(m.stretch, x);
    return m;
  }

  /// @throws std::invalid_argument for a schedule of another length, or a history too short for the row.
  template <State X, class M>
  void step(const Step<X>& n, X& x, X& m0, M& model, detail::TableMemory<X>& m) const {
    if (n.count != rows.size()) refuse("the number of steps", n.count, {rows.size(), ", the rows of Table"});
    m.require_history(rows[n.index], n.index);
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
};

}  // namespace fewstep
