// The arithmetic of one row of a Table.
#pragma once

#include "../../algebra.hpp"
#include "../../history.hpp"
#include "table_outputs.hpp"
#include "table_row.hpp"
#include "unrolled.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace fewstep::detail {

/// What a Table remembers of the second branch or a later one.
template <State X>
struct BranchMemory {
  History<X> past;
  X newest;  // the output at the left end of the row
};

/// What a Table remembers within a run.
template <State X>
struct TableMemory {
  History<X> past;
  std::vector<X> midpoint;  // start of the row, state and output; a table without midpoints has none
  std::vector<BranchMemory<X>> others;
  Level<X> stretch{1.};  // length of this step relative to the table's own, for tables of slopes

  TableMemory(const std::vector<TableRow>& rows, const X& x) : past(x, kept_outputs(rows, 0)) {
    for (std::size_t b = 1; b < rows[0].branches(); ++b)
      others.push_back({{x, kept_outputs(rows, b)}, algebra<X>::like(x)});
    if (most_midpoints(rows) > 0)
      for (int i = 0; i < 3; ++i) midpoint.push_back(algebra<X>::like(x));
  }
  /// @throws std::invalid_argument for a history that is too short for the row.
  void require_history(const TableRow& row, std::size_t index) const {
    for (std::size_t b = 0; b < row.branches(); ++b)
      row.require_history(b == 0 ? past.size() : others[b - 1].past.size(), index, b);
  }
  void detach() {
    past.detach();
    for (BranchMemory<X>& branch : others) branch.past.detach();
  }
};

/// x <- carry x + stretch (w0 m0 + w1 m1 + ...)
/// @param weights  of the outputs, newest first; 1 or more
/// @param newest   m0; null: the newest output is past[0]
template <State X>
void add_outputs(X& x, double carry, const std::vector<double>& weights, const X* newest, const History<X>& past,
                 const Level<X>& stretch) {
  const auto output = [&](std::size_t k) -> const X& { return newest ? k == 0 ? *newest : past[k - 1] : past[k]; };
  constexpr std::size_t at_once = 3;  // outputs in one pass over memory; each further one has a pass of its own
  unrolled<at_once - 1>((std::min)(weights.size(), at_once) - 1, [&]<std::size_t... I>(std::index_sequence<I...>) {
    const auto stretched = [carry, &weights](const auto& by) {
      return Pack{carry, weights[0] * by, weights[I + 1] * by...};
    };
    combine(x, levels(stretch), stretched, x, output(0), output(I + 1)...);
  });
  for (std::size_t k = at_once; k < weights.size(); ++k)
    combine(x, levels(stretch), [w = weights[k]](const auto& by) { return Pack{unit, w * by}; }, x, output(k));
}

/// x <- carry x + stretch (w0 m0 + w1 m1 + ... + the weighted outputs at the row's midpoints)
template <State X, class M>
void apply_row(const TableRow& row, X& x, const X& m0, M& model, TableMemory<X>& m) {
  const bool has_midpoints = !row.midpoints.empty();
  if (has_midpoints) copy(m.midpoint[0], x);
  add_outputs(x, row.carry, row.weights, &m0, m.past, m.stretch);
  if (!has_midpoints) return;
  X &start = m.midpoint[0], &state = m.midpoint[1], &output = m.midpoint[2];
  for (const TableRow::Midpoint& p : row.midpoints) {
    combine(state, levels(), [&p] { return Pack{p.carry, p.reach}; }, start, m0);
    model(state, Level<X>(p.sigma_scale * p.level), Level<X>(p.level), output);
    combine(x, levels(m.stretch), [w = p.weight](const auto& by) { return Pack{unit, w * by}; }, x, output);
  }
}

}  // namespace fewstep::detail
