#pragma once

#include "../errors.hpp"
#include "../history.hpp"
#include "../schedule.hpp"
#include "../solver.hpp"
#include "detail/table_row.hpp"
#include "detail/table_step.hpp"

#include <algorithm>
#include <cstddef>
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
/// NFE per step: 1 plus 1 per midpoint. Order: depends on the numbers.
struct Table {
  using Row = TableRow;
  using Midpoint = TableRow::Midpoint;
  static constexpr std::size_t max_rows = 1'000;  // a bound for untrusted files: memory() allocates per output kept

  std::vector<double> levels = {};  ///< decreasing, above 0; one more than rows
  std::vector<Row> rows = {};       ///< 1 to max_rows
  Target target = Target::slope;

  static constexpr bool multistep = true;
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
  /// The network is fed this times the level at the left end of step `index`.
  double sigma_scale(std::size_t index) const { return index < rows.size() ? rows[index].sigma_scale : 1; }
  Schedule schedule() const { return Schedule(levels); }

  /// @throws std::invalid_argument naming the row and the number that is out of range.
  void validate() const {
    require(!rows.empty() && rows.size() <= max_rows, "the number of rows of Table", rows.size(), {"1 to ", max_rows});
    require(levels.size() == rows.size() + 1, "the number of levels of Table", levels.size(),
            {rows.size() + 1, ", one more than rows"});
    require(schedule().decreasing(), "the order of Table::levels", "increasing", "decreasing");
    require(levels.back() > 0, "Table's last level", levels.back(), "positive numbers");
    for (std::size_t i = 0; i < rows.size(); ++i) rows[i].validate(i, levels[i]);
  }

  template <State X>
  detail::TableMemory<X> memory(const X& x) const {
    std::size_t outputs = 1;
    for (const Row& row : rows) outputs = (std::max)(outputs, row.weights.size());
    detail::TableMemory<X> m{{x, outputs - 1}, {}};
    if (target == Target::slope) algebra<X>::fit(m.stretch, x);
    if (evaluations() > 1)
      for (int i = 0; i < 3; ++i) m.midpoint.push_back(algebra<X>::like(x));
    return m;
  }

  /// @throws std::invalid_argument for a schedule of another length, or a history too short for the row.
  template <State X, class M>
  void step(const Step<X>& n, X& x, X& m0, M& model, detail::TableMemory<X>& m) const {
    if (n.count != rows.size()) refuse("the number of steps", n.count, {rows.size(), ", the rows of Table"});
    rows[n.index].require_history(m.past.size(), n.index);
    if (target == Target::slope) {
      const double own_step = levels[n.index + 1] - levels[n.index];
      const auto stretch = [own_step](const auto& t, const auto& s) { return (s - t) / own_step; };
      map_level<X>(m.stretch, stretch, n.from, n.to);
    }
    detail::apply_row(rows[n.index], x, m0, model, m);
    m.past.push(m0, n);
  }
};

}  // namespace fewstep
