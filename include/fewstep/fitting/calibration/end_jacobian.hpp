// How the ends of a table's runs depend on its numbers.
#pragma once

#include "table_parameters.hpp"
#include "table_runner.hpp"

#include <cmath>
#include <cstddef>
#include <iterator>
#include <utility>
#include <vector>

namespace fewstep::detail {

/// Derivatives of the end features with respect to a table's parameters, by finite differences.
template <State X>
class EndJacobian {
 public:
  /// Shifts each parameter in turn and reruns the rows after it.
  /// @param runs     those of `table`
  /// @param batches  of whose samples the derivatives are taken, 1 or more
  EndJacobian(const Table& table, const TableRunner<X>& runner, const std::vector<TableRun<X>>& runs,
              const std::vector<TableParameter>& parameters, std::vector<std::size_t> batches)
      : parameters_(parameters.size()), batches_(std::move(batches)) {
    const double increment = best_increment(table, runner, runs[batches_[0]], parameters);
    for (const std::size_t b : batches_) {
      TableRun<X> moved = runner.start(b, table.branches());
      for (const TableParameter& p : parameters)
        columns_.push_back(quotient(table, runner, runs[b], p, increment, moved));
    }
  }

  const std::vector<std::size_t>& batches() const { return batches_; }
  /// Derivatives of the end features of batch batches()[k] with respect to one parameter.
  X& operator()(std::size_t k, std::size_t parameter) { return columns_[k * parameters_ + parameter]; }
  const X& operator()(std::size_t k, std::size_t parameter) const { return columns_[k * parameters_ + parameter]; }

  /// All derivatives of that batch.
  std::vector<const X*> columns(std::size_t k) const {
    std::vector<const X*> all(parameters_);
    for (std::size_t i = 0; i < parameters_; ++i) all[i] = &(*this)(k, i);
    return all;
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
    for (std::size_t k = 0; k < batches_.size(); ++k) {
      const std::size_t b = batches_[k];
      X error = difference(runner.end_features(after[b]), runner.end_features(before[b]));
      for (std::size_t i = 0; i < parameters_; ++i) add_scaled(error, -step[i], (*this)(k, i));
      for (std::size_t i = 0; i < parameters_; ++i) add_scaled((*this)(k, i), scale[i] * step[i] / norm, error);
    }
  }

 private:
  /// The change of the end features by a shift of one parameter, divided by the shift.
  /// @param moved  a run of the batch of `run`, overwritten
  static X quotient(const Table& table, const TableRunner<X>& runner, const TableRun<X>& run, const TableParameter& p,
                    double increment, TableRun<X>& moved) {
    Table shifted = table;
    shift(shifted, p, increment);
    const std::size_t left = p.kind == TableParameter::level ? p.row - 1 : p.row;
    for (std::size_t b = 0; b < run.slopes.size(); ++b)
      for (std::size_t i = 0; i <= p.row; ++i)
        if (table.rows[i].evaluates(b)) copy(moved.slopes[b][i], run.slopes[b][i]);
    copy(moved.states[left], run.states[left]);
    if (left < p.row) runner.step(shifted, left, moved);
    runner.finish(shifted, moved, p.row, p.kind == TableParameter::weight);
    X change = difference(runner.end_features(moved), runner.end_features(run));
    scale(change, 1 / increment, change);
    return change;
  }

  /// The shift whose quotients are nearest to those of the next larger one, on one batch and three parameters. Small
  /// shifts drown in the rounding of a network in half precision, large ones in the curvature.
  static double best_increment(const Table& table, const TableRunner<X>& runner, const TableRun<X>& run,
                               const std::vector<TableParameter>& parameters) {
    constexpr double increments[] = {1e-3, 4e-3, 1.6e-2, 6.4e-2};
    constexpr std::size_t probes = 3;
    double error[std::size(increments) - 1] = {};
    TableRun<X> moved = runner.start(run.batch, table.branches());
    for (std::size_t k = 0; k < probes; ++k) {
      const TableParameter& p = parameters[(2 * k + 1) * parameters.size() / (2 * probes)];
      std::vector<X> quotients;
      for (const double increment : increments) quotients.push_back(quotient(table, runner, run, p, increment, moved));
      for (std::size_t i = 0; i + 1 < quotients.size(); ++i) {
        const X change = difference(quotients[i], quotients[i + 1]);
        error[i] += std::sqrt(sum_of(algebra<X>::dot(change, change)) /
                              sum_of(algebra<X>::dot(quotients[i + 1], quotients[i + 1])));
      }
    }
    std::size_t best = 0;
    for (std::size_t i = 1; i < std::size(error); ++i)
      if (error[i] < error[best]) best = i;
    return increments[best];
  }
  static double sum_of(const std::vector<double>& values) {
    double sum = 0;
    for (const double value : values)
      if (std::isfinite(value)) sum += value;
    return sum;
  }

  std::size_t parameters_;
  std::vector<std::size_t> batches_;
  std::vector<X> columns_;  // the first batch's, then the second's, ...
};

}  // namespace fewstep::detail
