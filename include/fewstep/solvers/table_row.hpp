#pragma once

#include "../errors.hpp"

#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

namespace fewstep {

/// One step of a Table: what becomes of the state and of the targets m0, m1, ... seen so far.
struct TableRow {
  struct Midpoint {
    double level, reach, weight, carry = 1, clock = 1;
  };
  double carry = 1;
  std::vector<double> weights = {};  // of m0, m1, ..., at least one
  double clock = 1;
  std::vector<Midpoint> midpoints = {};

  /// @param index  its place in the table
  /// @throws std::invalid_argument naming the number that does not fit.
  void validate(std::size_t index) const {
    const std::string at = "Table::rows[" + std::to_string(index) + "]";
    require(std::isfinite(carry), at + ".carry", carry, "finite numbers");
    require(clock > 0 && std::isfinite(clock), at + ".clock", clock, "positive numbers");
    require(!weights.empty() && weights.size() <= index + 1, "the number of " + at + ".weights", weights.size(), "1 to " + std::to_string(index + 1));
    for (const double w : weights) require(std::isfinite(w), at + ".weights", w, "finite numbers");
    for (const Midpoint& m : midpoints) {
      require(m.level > 0 && std::isfinite(m.level), at + ".midpoints.level", m.level, "positive numbers");
      require(m.clock > 0 && std::isfinite(m.clock), at + ".midpoints.clock", m.clock, "positive numbers");
      for (const double w : {m.reach, m.weight, m.carry}) require(std::isfinite(w), at + ".midpoints' weights", w, "finite numbers");
    }
  }
};

}  // namespace fewstep
