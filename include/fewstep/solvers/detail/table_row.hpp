#pragma once

#include "../../errors.hpp"
#include "../../level.hpp"

#include <cmath>
#include <cstddef>
#include <vector>

namespace fewstep {

/// One step of a Table: the weights with which the state, the model outputs and those at midpoints are combined.
struct TableRow {
  /// An evaluation inside the step, at the state y = carry x + reach m0.
  struct Midpoint {
    double level;            ///< above 0
    double reach;            ///< weight of m0 in y, finite
    double weight;           ///< weight of the output in x', finite
    double carry = 1;        ///< weight of the state at the left end in y, finite
    double sigma_scale = 1;  ///< above 0: the network is fed sigma_scale * level
  };
  static constexpr std::size_t max_midpoints = 64;
  /// What the row does with a further branch of the denoiser (see Table).
  struct Branch {
    std::vector<double> weights = {};  ///< of the branch's outputs so far, newest first
    bool evaluated = true;             ///< false: the row uses the branch's earlier outputs only
  };

  double carry = 1;                      ///< weight of the state at the left end, finite
  std::vector<double> weights = {};      ///< of m0, m1, ..., newest first; in row i: 1 to i + 1 finite numbers
  double sigma_scale = 1;                ///< above 0: at the left end, the network is fed sigma_scale * level
  std::vector<Midpoint> midpoints = {};  ///< at most max_midpoints; none in a table of several branches
  bool evaluated = true;                 ///< whether the first branch is evaluated; always in a table of one branch
  std::vector<Branch> others = {};       ///< the second branch and on

  std::size_t branches() const { return 1 + others.size(); }
  const std::vector<double>& weights_of(std::size_t branch) const {
    return branch == 0 ? weights : others[branch - 1].weights;
  }
  std::vector<double>& weights_of(std::size_t branch) { return branch == 0 ? weights : others[branch - 1].weights; }
  bool evaluates(std::size_t branch) const { return branch == 0 ? evaluated : others[branch - 1].evaluated; }
  /// The number of branches that the row evaluates.
  std::size_t evaluations() const {
    std::size_t count = 0;
    for (std::size_t b = 0; b < branches(); ++b) count += evaluates(b);
    return count;
  }

  /// @param index    of the row in its table
  /// @param level    the table's level at the row's left end
  /// @param outputs  of each branch up to this row
  /// @throws std::invalid_argument naming the number that is out of range.
  void validate(std::size_t index, double level, const std::vector<std::size_t>& outputs) const {
    require_finite(index, ".carry", carry);
    require_level(index, ".sigma_scale", sigma_scale);
    require_level(index, ".sigma_scale times the level", sigma_scale * level);
    require_count(index, ".others", others.size(), outputs.size() - 1, outputs.size() - 1);
    for (std::size_t b = 0; b < outputs.size(); ++b) {
      require_count(index, ".weights", weights_of(b).size(), outputs.size() == 1 ? 1 : 0, outputs[b]);
      for (const double w : weights_of(b)) require_finite(index, ".weights", w);
    }
    require(evaluations() > 0, {"the number of branches that Table::rows[", index, "] evaluates"}, 0, "1 or more");
    require(outputs.size() == 1 || midpoints.empty(), {"the number of Table::rows[", index, "].midpoints"},
            midpoints.size(), "0 in a table of several branches");
    require_count(index, ".midpoints", midpoints.size(), 0, max_midpoints);
    for (const Midpoint& m : midpoints) {
      require_level(index, ".midpoints.level", m.level);
      require_level(index, ".midpoints.sigma_scale", m.sigma_scale);
      require_level(index, ".midpoints.sigma_scale times the level", m.sigma_scale * m.level);
      for (const double w : {m.reach, m.weight, m.carry}) require_finite(index, ".midpoints' weights", w);
    }
  }

  /// Rejects a history that is too short for the row: without all outputs the weights do not add up to the step.
  /// @param kept  outputs of the branch in the history
  /// @throws std::invalid_argument naming the row.
  void require_history(std::size_t kept, std::size_t index, std::size_t branch) const {
    const std::size_t wanted = weights_of(branch).size();
    if (wanted <= kept + evaluates(branch)) return;
    refuse(
        {"the number of targets kept before Table::rows[", index, "]"}, kept,
        {wanted - evaluates(branch), " or more: start at the first level, and keep the analytic slope in the history"});
  }

 private:
  static void require_finite(std::size_t index, const char* member, double value) {
    require(std::isfinite(value), {"Table::rows[", index, "]", member}, value, "finite numbers");
  }
  static void require_level(std::size_t index, const char* member, double value) {
    require(detail::is_level(value), {"Table::rows[", index, "]", member}, value, detail::allowed_levels);
  }
  static void require_count(std::size_t index, const char* member, std::size_t count, std::size_t least,
                            std::size_t most) {
    require(count >= least && count <= most, {"the number of Table::rows[", index, "]", member}, count,
            {least, " to ", most});
  }
};

}  // namespace fewstep
