#pragma once

#include "../errors.hpp"
#include "../level.hpp"
#include "predictor.hpp"

#include <cstddef>
#include <utility>
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
      const Row& row = rows[i];
      require(row.ratio > 0 && row.ratio < 1, {"TablePredictor::rows[", i, "].ratio"}, row.ratio,
              "numbers between 0 and 1");
      for (const auto& [name, scale] :
           {std::pair{"direction_scale", row.direction_scale}, std::pair{"sigma_scale", row.sigma_scale}})
        require(detail::is_level(scale), {"TablePredictor::rows[", i, "].", name}, scale, detail::allowed_levels);
    }
  }

  /// @throws std::invalid_argument for a schedule whose number of steps is not the number of rows.
  template <State X>
  void operator()(const Step<X>& n, const Features<X>*, Prediction<X>& out) const {
    require(n.count == rows.size(), "the number of steps", n.count, {rows.size(), ", the rows of TablePredictor"});
    const Row& row = rows[n.index];
    out = {Level<X>(row.ratio), Level<X>(row.direction_scale), Level<X>(row.sigma_scale)};
  }
};

}  // namespace fewstep
