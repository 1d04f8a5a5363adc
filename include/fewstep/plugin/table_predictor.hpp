#pragma once

#include "../errors.hpp"
#include "predictor.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace fewstep {

/// Fixed predictions, one row per step of the schedule, the same for all samples.
struct TablePredictor {
  /// One step's Prediction; the defaults change nothing.
  struct Row {
    double ratio = 0.5;          ///< in (0, 1)
    double direction_scale = 1;  ///< positive
    double sigma_scale = 1;      ///< positive
  };
  std::vector<Row> rows;

  /// @throws std::invalid_argument naming the row and the value that is out of range.
  void validate() const {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const std::string row = "TablePredictor::rows[" + std::to_string(i) + "]";
      require(rows[i].ratio > 0 && rows[i].ratio < 1, row + ".ratio", rows[i].ratio, "numbers between 0 and 1");
      require(rows[i].direction_scale > 0, row + ".direction_scale", rows[i].direction_scale, "positive numbers");
      require(rows[i].sigma_scale > 0, row + ".sigma_scale", rows[i].sigma_scale, "positive numbers");
    }
  }

  /// @throws std::invalid_argument for a schedule whose number of steps is not the number of rows.
  template <State X>
  void operator()(const Step<X>& n, const Features<X>*, Prediction<X>& out) const {
    if (n.count != rows.size())  // no text is made in a run that fits
      refuse("the number of steps", n.count, std::to_string(rows.size()) + ", the rows of TablePredictor");
    const Row& row = rows[n.index];
    out = {Level<X>(row.ratio), Level<X>(row.direction_scale), Level<X>(row.sigma_scale)};
  }
};

}  // namespace fewstep
