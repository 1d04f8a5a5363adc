// The arithmetic of one row of a Table.
#pragma once

#include "../../algebra.hpp"
#include "../../history.hpp"
#include "table_row.hpp"
#include "unrolled.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace fewstep::detail {

/// What a Table remembers within a run.
template <State X>
struct TableMemory {
  History<X> past;
  std::vector<X> midpoint;  // start of the row, state and output; a table without midpoints has none
  Level<X> stretch{1.};     // length of this step relative to the table's own, for tables of slopes
  void detach() { past.detach(); }
};

/// x <- carry x + stretch (w0 m0 + w1 m1 + ... + the weighted outputs at the row's midpoints)
template <State X, class M>
void apply_row(const TableRow& row, X& x, const X& m0, M& model, TableMemory<X>& m) {
  const auto add = [&](double weight, const X& output) {
    const auto stretched = [weight](const auto& stretch) { return Pack{unit, weight * stretch}; };
    combine(x, levels(m.stretch), stretched, x, output);
  };
  const bool has_midpoints = !row.midpoints.empty();
  if (has_midpoints) copy(m.midpoint[0], x);
  constexpr std::size_t at_once = 3;  // outputs in one pass over memory; each further one has a pass of its own
  const std::size_t outputs = row.weights.size();
  unrolled<at_once - 1>((std::min)(outputs, at_once) - 1, [&]<std::size_t... I>(std::index_sequence<I...>) {
    const auto weights = [&row](const auto& stretch) {
      return Pack{row.carry, row.weights[0] * stretch, row.weights[I + 1] * stretch...};
    };
    combine(x, levels(m.stretch), weights, x, m0, m.past[I]...);
  });
  for (std::size_t k = at_once; k < outputs; ++k) add(row.weights[k], m.past[k - 1]);
  if (!has_midpoints) return;
  X &start = m.midpoint[0], &state = m.midpoint[1], &output = m.midpoint[2];
  for (const TableRow::Midpoint& p : row.midpoints) {
    combine(state, levels(), [&p] { return Pack{p.carry, p.reach}; }, start, m0);
    model(state, Level<X>(p.sigma_scale * p.level), Level<X>(p.level), output);
    add(p.weight, output);
  }
}

}  // namespace fewstep::detail
