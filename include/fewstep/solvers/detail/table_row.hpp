#pragma once

#include "../../errors.hpp"

#include <cmath>
#include <cstddef>
#include <string>
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
    const std::string row = "Table::rows[" + std::to_string(index) + "]";
    require(std::isfinite(carry), row + ".carry", carry, "finite numbers");
    require_level(row, sigma_scale, level);
    require(!weights.empty() && weights.size() <= index + 1, "the number of " + row + ".weights", weights.size(),
            "1 to " + std::to_string(index + 1));
    for (const double w : weights) require(std::isfinite(w), row + ".weights", w, "finite numbers");
    require(midpoints.size() <= max_midpoints, "the number of " + row + ".midpoints", midpoints.size(),
            "0 to " + std::to_string(max_midpoints));
    for (const Midpoint& m : midpoints) {
      require(m.level > 0 && std::isfinite(m.level), row + ".midpoints.level", m.level, "positive numbers");
      require_level(row + ".midpoints", m.sigma_scale, m.level);
      for (const double w : {m.reach, m.weight, m.carry})
        require(std::isfinite(w), row + ".midpoints' weights", w, "finite numbers");
    }
  }

  /// Rejects a history that is too short for the row, without whose outputs the weights do not add up to the step.
  /// @param kept  outputs in the history
  void require_history(std::size_t kept, std::size_t index) const {
    if (weights.size() <= kept + 1) return;
    refuse("the number of targets kept before Table::rows[" + std::to_string(index) + "]", kept,
           std::to_string(weights.size() - 1) +
               " or more: start at the first level, and keep the analytic slope in the history");
  }

 private:
  /// Checks sigma_scale, and that the level that the network is fed neither overflows nor becomes 0.
  static void require_level(const std::string& of, double sigma_scale, double level) {
    require(sigma_scale > 0 && std::isfinite(sigma_scale), of + ".sigma_scale", sigma_scale, "positive numbers");
    require(sigma_scale * level > 0 && std::isfinite(sigma_scale * level), of + ".sigma_scale times the level",
            sigma_scale * level, "positive and finite numbers");
  }
};

}  // namespace fewstep
