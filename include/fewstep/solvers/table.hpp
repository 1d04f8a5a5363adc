#pragma once

#include "../concepts.hpp"
#include "../errors.hpp"
#include "../history.hpp"
#include "../schedule.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <tuple>
#include <vector>

namespace fewstep {

/// A solver as numbers, one row per step of its own schedule:
///   x' = carry x + w0 m0 + w1 m1 + ...,   m0 the target at the left end, the network fed clock * level; m1, ... the older ones
/// Every solver whose evaluations are at levels of their own is such a table on those levels (tabulate.hpp): multistep solvers,
/// AMED with constants, its plugin. Learned ones (DyWeight, AdaSDE, S4S, ...) are published as such numbers.
/// Evaluations per step: 1.  Order: what the numbers make of it.
struct Table {
  struct Row {
    double carry = 1;
    std::vector<double> weights = {};  // of m0, m1, ..., at least one
    double clock = 1;
  };
  std::vector<double> levels = {};  // one more than rows, decreasing
  std::vector<Row> rows = {};
  Target aim = Target::slope;

  Target target() const { return aim; }
  static constexpr int evaluations() { return 1; }
  /// What the network is told at the left end of a step: a factor of its level.
  double clock(std::size_t index) const { return index < rows.size() ? rows[index].clock : 1; }
  Schedule schedule() const { return Schedule(levels); }

  /// @throws std::invalid_argument naming the row and the number that does not fit.
  void validate() const {
    require(!rows.empty(), "the number of rows of Table", rows.size(), "1 or more");
    require(levels.size() == rows.size() + 1, "the number of levels of Table", levels.size(), std::to_string(rows.size() + 1) + ", one more than rows");
    require(schedule().decreasing(), "levels of Table", "increasing", "decreasing ones");
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const std::string at = "Table::rows[" + std::to_string(i) + "]";
      require(std::isfinite(rows[i].carry), at + ".carry", rows[i].carry, "finite numbers");
      require(rows[i].clock > 0 && std::isfinite(rows[i].clock), at + ".clock", rows[i].clock, "positive numbers");
      require(!rows[i].weights.empty() && rows[i].weights.size() <= i + 1, "the number of " + at + ".weights", rows[i].weights.size(),
              "1 to " + std::to_string(i + 1));
      for (const double w : rows[i].weights) require(std::isfinite(w), at + ".weights", w, "finite numbers");
    }
  }
  template <State X>
  History<X> memory(const X& x) const {
    std::size_t longest = 1;
    for (const Row& row : rows) longest = (std::max)(longest, row.weights.size());
    return {x, longest - 1};
  }

  /// @throws std::invalid_argument for a schedule of another length.
  template <State X, class M>
  void step(const Step<X>& n, X& x, X& m, M&, History<X>& past) const {
    require(n.count == rows.size(), "the number of steps", n.count, std::to_string(rows.size()) + ", the rows of Table");
    const Row& row = rows[n.index];
    combine(x, std::tuple<>{}, [&] { return std::tuple{row.carry, row.weights[0]}; }, x, m);
    const std::size_t terms = (std::min)(row.weights.size() - 1, past.size());
    for (std::size_t k = 0; k < terms; ++k) combine(x, std::tuple<>{}, [w = row.weights[k + 1]] { return std::tuple{unit, w}; }, x, past[k]);
    past.push(m, n);
  }
};

}  // namespace fewstep
