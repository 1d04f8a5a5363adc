// The arithmetic of one row of a Table of several branches.
#pragma once

#include "../../algebra.hpp"
#include "../../branches.hpp"
#include "../../errors.hpp"
#include "../../model_ref.hpp"
#include "../../solver.hpp"
#include "table_row.hpp"
#include "table_step.hpp"

#include <cstddef>
#include <optional>
#include <vector>

namespace fewstep::detail {

/// Evaluates the row's branches at the left end, unless `first` is an analytic output of the first branch.
template <State X>
void evaluate_row(const TableRow& row, std::optional<double> guidance, const Step<X>& n, const X& x, X& first,
                  ModelRef<X>& model, TableMemory<X>& m) {
  if (!n.missing) {
    const bool analytic = n.index == 0 && row.evaluated && row.evaluations() == 1;
    require(analytic, {"the first output of Table::rows[", n.index, "]"}, "given",
            "evaluated by a table of several branches, or an analytic first step of a row of the first branch alone");
    return;
  }
  std::vector<X*> outputs(row.branches());
  for (std::size_t b = 0; b < outputs.size(); ++b)
    if (row.evaluates(b)) outputs[b] = b == 0 ? &first : &m.others[b - 1].newest;
  BranchCall<X> call{.x = x, .outputs = outputs, .guidance = guidance};
  const double factor = row.sigma_scale;
  Level<X> network_sigma = n.from;
  if (factor != 1) map_level<X>(network_sigma, [factor](const auto& t) { return factor * t; }, n.from);
  model.branches(network_sigma, n.from, call);
}

/// x <- carry x + stretch (the sum of all branches' weighted outputs), and keeps the outputs.
template <State X>
void apply_branches(const TableRow& row, std::optional<double> guidance, const Step<X>& n, X& x, X& first,
                    ModelRef<X>& model, TableMemory<X>& m) {
  evaluate_row(row, guidance, n, x, first, model, m);
  double carry = row.carry;
  for (std::size_t b = 0; b < row.branches(); ++b) {
    History<X>& past = b == 0 ? m.past : m.others[b - 1].past;
    X& newest = b == 0 ? first : m.others[b - 1].newest;
    if (!row.weights_of(b).empty()) {
      add_outputs(x, carry, row.weights_of(b), row.evaluates(b) ? &newest : nullptr, past, m.stretch);
      carry = 1;
    }
    if (row.evaluates(b)) past.push(newest, n);
  }
  if (carry != 1) scale(x, carry, x);
}

}  // namespace fewstep::detail
