// How the ends of a table's runs depend on its numbers.
#pragma once

#include "table_parameters.hpp"
#include "table_runner.hpp"

#include <cstddef>
#include <utility>
#include <vector>

namespace fewstep::detail {

/// Derivatives of the end features with respect to a table's parameters, by finite differences.
template <State X>
class EndJacobian {
 public:
  /// Shifts each parameter in turn and reruns the rows after it.
  /// @param runs    those of `table`
  /// @param fitted  batches that begin at this sample or later are left out
  EndJacobian(const Table& table, const TableRunner<X>& runner, const std::vector<TableRun<X>>& runs,
              const std::vector<TableParameter>& parameters, std::size_t fitted)
      : parameters_(parameters.size()) {
    constexpr double increment = 1e-3;
    for (; batches_ < runs.size() && runner.first_sample(batches_) < fitted; ++batches_) {
      const TableRun<X>& run = runs[batches_];
      const X end = runner.end_features(run);
      TableRun<X> moved_run = runner.start(batches_);
      for (const TableParameter& p : parameters) {
        Table moved = table;
        shift(moved, p, increment);
        const std::size_t left = p.kind == TableParameter::level ? p.row - 1 : p.row;
        for (std::size_t i = 0; i <= p.row; ++i) copy(moved_run.slopes[i], run.slopes[i]);
        copy(moved_run.states[left], run.states[left]);
        if (left < p.row) runner.step(moved, left, moved_run);
        runner.finish(moved, moved_run, p.row, p.kind == TableParameter::weight);
        X column = difference(runner.end_features(moved_run), end);
        scale(column, 1 / increment, column);
        columns_.push_back(std::move(column));
      }
    }
  }

  std::size_t batches() const { return batches_; }
  /// Derivatives of a batch's end features with respect to one parameter.
  X& operator()(std::size_t batch, std::size_t parameter) { return columns_[batch * parameters_ + parameter]; }
  const X& operator()(std::size_t batch, std::size_t parameter) const {
    return columns_[batch * parameters_ + parameter];
  }

  /// Broyden's rank-one update: corrects the derivatives so that they predict what a step did to the end features.
  /// The smallest correction is chosen, with each parameter measured in units of 1 / sqrt(scale).
  /// @param before, after  runs before and after the step
  /// @param step           of each parameter
  /// Source: Broyden 1965, "A class of methods for solving nonlinear simultaneous equations".
  void update(const TableRunner<X>& runner, const std::vector<TableRun<X>>& before,
              const std::vector<TableRun<X>>& after, const std::vector<double>& step,
              const std::vector<double>& scale) {
    double norm = 0;
    for (std::size_t i = 0; i < parameters_; ++i) norm += step[i] * (scale[i] * step[i]);
    for (std::size_t b = 0; b < batches_; ++b) {
      X error = difference(runner.end_features(after[b]), runner.end_features(before[b]));
      for (std::size_t i = 0; i < parameters_; ++i) add_scaled(error, -step[i], (*this)(b, i));
      for (std::size_t i = 0; i < parameters_; ++i) add_scaled((*this)(b, i), scale[i] * step[i] / norm, error);
    }
  }

 private:
  std::size_t parameters_, batches_ = 0;
  std::vector<X> columns_;  // the first batch's, then the second's, ...
};

}  // namespace fewstep::detail
