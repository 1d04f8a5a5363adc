#pragma once

#include "../errors.hpp"
#include "predictor.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace fewstep {

/// Predictions written down, one row per step of the schedule, the same for all samples.
struct TablePredictor {
  struct Row {
    double ratio = 0.5, direction_scale = 1, sigma_scale = 1;
  };
  std::vector<Row> rows;

  /// @throws std::invalid_argument naming the row that does not fit.
  void validate() const {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const std::string at = "TablePredictor::rows[" + std::to_string(i) + "]";
      require(rows[i].ratio > 0 && rows[i].ratio < 1, at + ".ratio", rows[i].ratio, "numbers between 0 and 1");
      require(rows[i].direction_scale > 0, at + ".direction_scale", rows[i].direction_scale, "positive numbers");
      require(rows[i].sigma_scale > 0, at + ".sigma_scale", rows[i].sigma_scale, "positive numbers");
    }
  }

  /// @throws std::invalid_argument for a schedule of another length.
  template <State X>
  void operator()(const Step<X>& n, const Features<X>*, Prediction<X>& out) const {
    if (n.count != rows.size())
      require(false, "the number of steps", n.count, std::to_string(rows.size()) + ", the rows of TablePredictor");
    const Row& row = rows[n.index];
    out = {Level<X>(row.ratio), Level<X>(row.direction_scale), Level<X>(row.sigma_scale)};
  }
};

}  // namespace fewstep
