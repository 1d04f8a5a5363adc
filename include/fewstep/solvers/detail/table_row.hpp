#pragma once

#include "../../errors.hpp"

#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

namespace fewstep {

/// One step of a Table: what becomes of the state and of the targets m0, m1, ... seen so far.
struct TableRow {
  struct Midpoint {
    double level, reach, weight, carry = 1, sigma_scale = 1;
  };
  static constexpr std::size_t most_midpoints = 64;
  double carry = 1;
  std::vector<double> weights = {};  // of m0, m1, ..., at least one
  double sigma_scale = 1;
  std::vector<Midpoint> midpoints = {};

  /// @param index  its place in the table
  /// @param level  of its left end
  /// @throws std::invalid_argument naming the number that does not fit.
  void validate(std::size_t index, double level) const {
    const std::string at = "Table::rows[" + std::to_string(index) + "]";
    require(std::isfinite(carry), at + ".carry", carry, "finite numbers");
    fed(at, sigma_scale, level);
    require(!weights.empty() && weights.size() <= index + 1, "the number of " + at + ".weights", weights.size(),
            "1 to " + std::to_string(index + 1));
    for (const double w : weights) require(std::isfinite(w), at + ".weights", w, "finite numbers");
    require(midpoints.size() <= most_midpoints, "the number of " + at + ".midpoints", midpoints.size(),
            "0 to " + std::to_string(most_midpoints));
    for (const Midpoint& m : midpoints) {
      require(m.level > 0 && std::isfinite(m.level), at + ".midpoints.level", m.level, "positive numbers");
      fed(at + ".midpoints", m.sigma_scale, m.level);
      for (const double w : {m.reach, m.weight, m.carry})
        require(std::isfinite(w), at + ".midpoints' weights", w, "finite numbers");
    }
  }
  /// Without all of its targets a row's weights would not add up to its step.
  /// @param kept  how many older ones there are
  void require_kept(std::size_t kept, std::size_t index) const {
    if (weights.size() > kept + 1)
      require(false, "the number of targets kept before Table::rows[" + std::to_string(index) + "]", kept,
              std::to_string(weights.size() - 1) +
                  " or more: start at the first level, and keep the analytic slope in the history");
  }

 private:
  /// What the network is told must be a level too: two numbers that are fine may have a product that is 0 or infinite.
  static void fed(const std::string& at, double sigma_scale, double level) {
    require(sigma_scale > 0 && std::isfinite(sigma_scale), at + ".sigma_scale", sigma_scale, "positive numbers");
    require(sigma_scale * level > 0 && std::isfinite(sigma_scale * level), at + ".sigma_scale times the level",
            sigma_scale * level, "positive and finite numbers");
  }
};

}  // namespace fewstep
