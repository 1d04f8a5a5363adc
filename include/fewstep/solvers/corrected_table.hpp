// AMED over a table of numbers: what is fitted for all samples, corrected for each.
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

/// Every second level of a table: the schedule of corrected_table().
/// @throws std::invalid_argument for a table that is not valid, or of an odd number of rows.
inline Schedule every_second_level(const Table& table) {
  table.validate();
  require(table.rows.size() % 2 == 0, "the number of rows of Table", table.rows.size(),
          "even numbers: the predictor moves every second level");
  std::vector<double> levels;
  for (std::size_t i = 0; i < table.levels.size(); i += 2) levels.push_back(table.levels[i]);
  return Schedule(levels);
}

/// The table's solver with its odd levels, and what its odd rows do, corrected by a predictor, on
/// every_second_level(table). A correction of nothing is the table on its own levels.
template <class P>
Amed<Table, CorrectedPredictor<TablePredictor, P>> corrected_table(Table table, P predictor) {
  const Schedule schedule = every_second_level(table);
  TablePredictor own;
  for (std::size_t i = 0; i < schedule.steps(); ++i)
    own.rows.push_back(
        {.ratio = std::log(table.levels[2 * i + 1] / schedule[i]) / std::log(schedule[i + 1] / schedule[i])});
  return {std::move(table), {std::move(own), std::move(predictor)}};
}

}  // namespace fewstep
