// A calibrated table whose odd levels a predictor corrects per sample.
#pragma once

#include "../errors.hpp"
#include "../plugin/amed.hpp"
#include "../plugin/corrected_predictor.hpp"
#include "../plugin/table_predictor.hpp"
#include "../schedule.hpp"
#include "table.hpp"

#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

namespace fewstep {

/// Returns levels 0, 2, 4, ... of a table: the schedule on which corrected_table() runs.
/// @param table  a valid table with an even number of rows
/// @throws std::invalid_argument for an invalid table, or one with an odd number of rows or several branches.
inline Schedule every_second_level(const Table& table) {
  table.validate();
  require(table.rows.size() % 2 == 0, "the number of rows of Table", table.rows.size(), "even numbers");
  require(table.branches() == 1, "the number of branches of Table", table.branches(), "1");
  std::vector<double> levels;
  for (std::size_t i = 0; i < table.levels.size(); i += 2) levels.push_back(table.levels[i]);
  return Schedule(levels);
}

/// The AMED-Plugin over a table, on the schedule every_second_level(table): the plugin inserts the table's odd levels,
/// corrected by a predictor.
///
/// The predictor's ratio, direction_scale and sigma_scale correct those of the table's odd rows; see
/// CorrectedPredictor. A prediction of 1/2, 1 and 1 leaves the table unchanged.
/// @param table      an even number of rows
/// @param predictor  a TimePredictor
/// @return a solver for the schedule every_second_level(table)
/// @throws std::invalid_argument as every_second_level().
/// NFE: that of the table.
template <class P>
Amed<Table, CorrectedPredictor<TablePredictor, P>> corrected_table(Table table, P predictor) {
  const Schedule schedule = every_second_level(table);
  TablePredictor own;
  for (std::size_t i = 0; i < schedule.steps(); ++i) {
    const double step = std::log(schedule[i + 1] / schedule[i]);
    own.rows.push_back({.ratio = std::log(table.levels[2 * i + 1] / schedule[i]) / step});
  }
  return {std::move(table), {std::move(own), std::move(predictor)}};
}

}  // namespace fewstep
