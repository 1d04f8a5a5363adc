#pragma once

#include "../errors.hpp"
#include "../history.hpp"
#include "../schedule.hpp"
#include "../solver.hpp"
#include "detail/table_row.hpp"

#include <algorithm>
#include <cstddef>
#include <string>
#include <tuple>
#include <vector>

namespace fewstep {

/// A solver as numbers, one row per step of its own schedule:
///   x' = carry x + w0 m0 + w1 m1 + ...,   m0 the target at the left end, the network fed sigma_scale * level; m1, ...
///   the older ones
/// Solvers that evaluate at levels of their own are such tables on those (tabulate.hpp); learned ones (DyWeight,
/// AdaSDE, S4S, ...) are published as such numbers. A row may go on to midpoints, which do not wait for each other
/// (EPD-Solver, Heun's method):
///   x' += w m(y, level),   y = carry x + reach m0
/// From t to s of other levels than its own, as where a predictor moves them, weights of slopes go with s - t.
/// Evaluations per step: 1, and 1 for each midpoint.  Order: what the numbers make of it.
struct Table {
  using Row = TableRow;
  using Midpoint = TableRow::Midpoint;
  static constexpr std::size_t most_rows = 1'000;  // as memory() takes a state for each slope that a row goes back to
  std::vector<double> levels = {};                 // one more than rows, decreasing
  std::vector<Row> rows = {};
  Target target = Target::slope;

  static constexpr bool multistep = true;
  int evaluations() const {
    std::size_t most = 0;
    for (const Row& row : rows) most = (std::max)(most, row.midpoints.size());
    return static_cast<int>(most) + 1;
  }
  int evaluations(StepCount& at) const {
    at.kept += at.remember;
    const std::size_t left = at.steps_left;
    return left > rows.size() ? 1 : static_cast<int>(rows[rows.size() - left].midpoints.size()) + 1;
  }
  /// Evaluations of a whole run that wait for each other: a row's midpoints are evaluated side by side.
  int rounds(bool analytic_first_step = false) const {
    int count = analytic_first_step ? -1 : 0;
    for (const Row& row : rows) count += row.midpoints.empty() ? 1 : 2;
    return count;
  }
  /// What the network is told at the left end of a step: a factor of its level.
  double sigma_scale(std::size_t index) const { return index < rows.size() ? rows[index].sigma_scale : 1; }
  Schedule schedule() const { return Schedule(levels); }
  /// @throws std::invalid_argument naming the row and the number that does not fit.
  void validate() const {
    require(!rows.empty() && rows.size() <= most_rows, "the number of rows of Table", rows.size(),
            "1 to " + std::to_string(most_rows));
    require(levels.size() == rows.size() + 1, "the number of levels of Table", levels.size(),
            std::to_string(rows.size() + 1) + ", one more than rows");
    require(schedule().decreasing(), "levels of Table", "increasing", "decreasing ones");
    require(levels.back() > 0, "Table's last level", levels.back(),
            "positive numbers: the step to 0 is the model's own");
    for (std::size_t i = 0; i < rows.size(); ++i) rows[i].validate(i, levels[i]);
  }
  template <State X>
  struct Memory {
    History<X> past;
    std::vector<X> mid;  // where there are midpoints: the state at the left end, a midpoint's state, its target
    Level<X> stretch{1.};
    void detach() { past.detach(); }
  };
  template <State X>
  Memory<X> memory(const X& x) const {
    std::size_t longest = 1;
    for (const Row& row : rows) longest = (std::max)(longest, row.weights.size());
    Memory<X> m{{x, longest - 1}, {}};
    if (target == Target::slope) algebra<X>::fit(m.stretch, x);
    for (int i = 0; evaluations() > 1 && i < 3; ++i) m.mid.push_back(algebra<X>::like(x));
    return m;
  }

  /// @throws std::invalid_argument for a schedule of another length, and where fewer older targets are kept than a row
  /// weighs.
  template <State X, class M>
  void step(const Step<X>& n, X& x, X& m0, M& model, Memory<X>& m) const {
    if (n.count != rows.size())
      require(false, "the number of steps", n.count, std::to_string(rows.size()) + ", the rows of Table");
    const Row& row = rows[n.index];
    row.require_kept(m.past.size(), n.index);
    if (target == Target::slope)
      map_level<X>(
          m.stretch,
          [own = levels[n.index + 1] - levels[n.index]](const auto& t, const auto& s) { return (s - t) / own; }, n.from,
          n.to);
    const auto add = [&](double w, const X& of) {
      combine(x, fewstep::levels(m.stretch), [w](const auto& stretch) { return std::tuple{unit, w * stretch}; }, x, of);
    };
    if (!row.midpoints.empty()) detail::copy(m.mid[0], x);
    combine(
        x, fewstep::levels(m.stretch),
        [&row](const auto& stretch) { return std::tuple{row.carry, row.weights[0] * stretch}; }, x, m0);
    for (std::size_t k = 0; k + 1 < row.weights.size(); ++k) add(row.weights[k + 1], m.past[k]);
    for (const Midpoint& p : row.midpoints) {
      combine(m.mid[1], std::tuple<>{}, [&p] { return std::tuple{p.carry, p.reach}; }, m.mid[0], m0);
      model(m.mid[1], Level<X>(p.sigma_scale * p.level), Level<X>(p.level), m.mid[2]);
      add(p.weight, m.mid[2]);
    }
    m.past.push(m0, n);
  }
};

}  // namespace fewstep
