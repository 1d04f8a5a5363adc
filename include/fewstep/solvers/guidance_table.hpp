// A table for a range of guidance scales.
#pragma once

#include "../errors.hpp"
#include "../guidance_scales.hpp"
#include "detail/table_outputs.hpp"
#include "table.hpp"

#include <cstddef>
#include <utility>
#include <vector>

namespace fewstep {

/// Tables of several branches for a range of guidance scales, with the same levels: the weights of each row are
/// polynomials in the logarithm of the scale. over_scales() makes one to fit, at() the table to run:
///
///   sample(file.at(3.5), guided(conditional, unconditional, {.scale = 3.5}), ...)
///
/// All nodes stand in one table, so that they are fitted at once: branch p B + b has the weights of branch b of B at
/// node p. The output of an analytic first step is one of branch 0, and its weights are the same at all scales.
struct GuidanceTable {
  GuidanceScales scales;
  Table table;

  /// Branches of the denoiser that it is run with.
  std::size_t branches() const { return table.branches() / scales.nodes.size(); }

  /// @throws std::invalid_argument naming the number that is out of range.
  void validate() const {
    scales.validate();
    table.validate();
    const std::size_t count = scales.nodes.size();
    require(table.branches() % count == 0 && branches() > 1, "the number of branches", table.branches(),
            {"twice ", count, ", the number of guidance scales, or more"});
    for (std::size_t i = 0; i < table.rows.size(); ++i)
      for (std::size_t b = branches(); b < table.branches(); ++b) {
        const bool alike = table.rows[i].evaluates(b) == table.rows[i].evaluates(b % branches());
        require(alike || (i == 0 && analytic()), {"whether row ", i, " evaluates branch ", b}, "other",
                "as at the first guidance scale");
      }
  }

  /// The table at a guidance scale: polynomials are evaluated.
  /// @throws std::invalid_argument for a scale outside the range.
  Table at(double scale) const {
    const std::vector<double> factors = scales.weights(scale);
    Table made{.levels = table.levels, .target = table.target, .guidance = scale};
    for (std::size_t i = 0; i < table.rows.size(); ++i) {
      TableRow row{.carry = table.rows[i].carry, .sigma_scale = table.rows[i].sigma_scale};
      row.others.resize(branches() - 1);
      for (std::size_t b = 0; b < branches(); ++b) {
        row.weights_of(b) = weights_at(factors, i, b);
        (b == 0 ? row.evaluated : row.others[b - 1].evaluated) = table.rows[i].evaluates(b);
      }
      made.rows.push_back(std::move(row));
    }
    return made;
  }

 private:
  /// Whether the first row's output is that of an analytic first step, which only the first branch has.
  bool analytic() const { return table.rows[0].evaluations() == 1 && table.rows[0].evaluated; }

  std::vector<double> weights_at(const std::vector<double>& factors, std::size_t row, std::size_t branch) const {
    std::vector<double> sum;
    for (std::size_t p = 0; p < factors.size(); ++p) {
      const std::size_t own = p * branches() + branch;
      const std::vector<double>& weights = table.rows[row].weights_of(own);
      if (weights.size() > sum.size()) sum.resize(weights.size());
      for (std::size_t k = 0; k < weights.size(); ++k) {
        const bool fixed = analytic() && own == 0 && detail::source_row(table.rows, row, own, k) == 0;
        sum[k] += (fixed ? 1 : factors[p]) * weights[k];
      }
    }
    return sum;
  }
};

}  // namespace fewstep
