#pragma once

#include "../../errors.hpp"

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

  double carry = 1;                      ///< weight of the state at the left end, finite
  std::vector<double> weights = {};      ///< of m0, m1, ..., newest first; in row i: 1 to i + 1 finite numbers
  double sigma_scale = 1;                ///< above 0: at the left end, the network is fed sigma_scale * level
  std::vector<Midpoint> midpoints = {};  ///< at most max_midpoints

  /// @param index  of the row in its table
  /// @param level  the table's level at the row's left end
  /// @throws std::invalid_argument naming the number that is out of range.
  void validate(std::size_t index, double level) const {
    const auto number = [index](const char* member, double value, bool good, const char* allowed) {
      require(good, {"Table::rows[", index, "]", member}, value, allowed);
    };
    const auto finite = [&](const char* member, double value) {
      number(member, value, std::isfinite(value), "finite numbers");
    };
    const auto positive = [&](const char* member, double value) {
      number(member, value, value > 0 && std::isfinite(value), "positive numbers");
    };
    const auto count = [index](const char* member, std::size_t given, std::size_t least, std::size_t most) {
      require(given >= least && given <= most, {"the number of Table::rows[", index, "]", member}, given,
              {least, " to ", most});
    };
    // The level that the network is fed must neither overflow nor become 0.
    const auto fed = [&](const char* member, double value) {
      number(member, value, value > 0 && std::isfinite(value), "positive and finite numbers");
    };
    finite(".carry", carry);
    positive(".sigma_scale", sigma_scale);
    fed(".sigma_scale times the level", sigma_scale * level);
    count(".weights", weights.size(), 1, index + 1);
    for (const double w : weights) finite(".weights", w);
    count(".midpoints", midpoints.size(), 0, max_midpoints);
    for (const Midpoint& m : midpoints) {
      positive(".midpoints.level", m.level);
      positive(".midpoints.sigma_scale", m.sigma_scale);
      fed(".midpoints.sigma_scale times the level", m.sigma_scale * m.level);
      for (const double w : {m.reach, m.weight, m.carry}) finite(".midpoints' weights", w);
    }
  }

  /// Rejects a history that is too short for the row, without whose outputs the weights do not add up to the step.
  /// @param kept  outputs in the history
  void require_history(std::size_t kept, std::size_t index) const {
    if (weights.size() <= kept + 1) return;
    refuse({"the number of targets kept before Table::rows[", index, "]"}, kept,
           {weights.size() - 1, " or more: start at the first level, and keep the analytic slope in the history"});
  }
};

}  // namespace fewstep
