#pragma once

#include "../processes/noise_table.hpp"
#include "../schedule.hpp"
#include "flow_table.hpp"
#include "training_steps.hpp"

#include <cstddef>
#include <vector>

namespace fewstep {

/// The table of a network's training steps, a NoiseTable or a FlowTable: what a schedule at training steps takes.
/// Refers to the table.
class TrainingTable {
 public:
  TrainingTable(const NoiseTable& table) : noise_(&table) {}
  /// @throws std::invalid_argument for a setting out of range.
  TrainingTable(const FlowTable& table) : flow_(&table) { table.validate(); }

  bool is_flow() const { return flow_ != nullptr; }
  std::size_t size() const { return flow_ ? flow_->size() : noise_->size(); }
  double sigma_min() const { return flow_ ? flow_->sigma_min() : noise_->sigma_min(); }
  double sigma_max() const { return flow_ ? flow_->sigma_max() : noise_->sigma_max(); }
  /// The noise level, or flow time, at a step from 0 to size() - 1, whole or not.
  double level(double step, Between between = Between::sigma) const {
    return flow_ ? level_at(*flow_, step) : level_at(*noise_, step, between);
  }

 private:
  const NoiseTable* noise_ = nullptr;
  const FlowTable* flow_ = nullptr;
};

/// Returns the schedule of the levels at given training steps, followed by 0 or by the table's lowest level.
/// @param steps    training steps, decreasing, each 0 to table.size() - 1
/// @param end      the last level: 0, or table.sigma_min()
/// @param between  how levels between training steps are interpolated
/// @throws std::invalid_argument unless the levels decrease.
inline Schedule at_training_steps(const TrainingTable& table, const std::vector<double>& steps, End end = End::zero,
                                  Between between = Between::sigma) {
  std::vector<double> levels;
  for (const double step : steps) levels.push_back(table.level(step, between));
  levels.push_back(end == End::zero ? 0 : table.sigma_min());
  return Schedule(levels);
}

}  // namespace fewstep
