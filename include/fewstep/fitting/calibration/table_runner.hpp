// Runs of slope tables from the starts of a teacher's trajectories, and the distances between their ends.
#pragma once

#include "../../model.hpp"
#include "../../solvers/table.hpp"
#include "../teacher.hpp"
#include "distances.hpp"
#include "sample_sums.hpp"

#include <cmath>
#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

namespace fewstep::detail {

/// Maps a batch of end states to the quantity that is compared, a state with as many samples.
template <State X>
using EndFeatures = std::function<X(const X&)>;

/// The slopes (x - D)/sigma of a denoiser. Its type is erased, so that the rest is compiled once per state type.
template <State X>
struct SlopeModel {
  /// out <- the slope at x, where the network is called with `network_sigma` and the slope divides by `sigma`.
  virtual void slope(const X& x, double network_sigma, double sigma, X& out) = 0;
  /// out <- the slope of the analytic first step at x.
  virtual void analytic(const X& x, double sigma, X& out) = 0;

 protected:
  ~SlopeModel() = default;
};

/// @tparam D  the denoiser, kept by reference
template <State X, class D>
struct DenoiserSlopes final : SlopeModel<X> {
  Model<X, D> model;

  explicit DenoiserSlopes(D& denoise) : model(denoise, Target::slope) {}
  void slope(const X& x, double network_sigma, double sigma, X& out) override {
    model(x, Level<X>(network_sigma), Level<X>(sigma), out);
  }
  void analytic(const X& x, double sigma, X& out) override { model.analytic(x, Level<X>(sigma), out); }
};

/// A table's run over one batch, in the form of a teacher's. All states and slopes are kept, so that a changed number
/// costs only the evaluations after it.
template <State X>
using TableRun = TeacherTrajectory<X>;

/// Runs slope tables over the batches of a teacher's trajectories and compares the ends.
template <State X>
class TableRunner {
 public:
  using Runs = std::vector<TableRun<X>>;  ///< one per batch

  /// @param model     kept by reference
  /// @param teacher   for each batch a state for each level of the tables; kept by reference
  /// @param analytic  whether the first slope is that of the analytic first step
  /// @throws std::invalid_argument for end features of another number of samples.
  TableRunner(SlopeModel<X>& model, const std::vector<TeacherTrajectory<X>>& teacher, bool analytic,
              EndFeatures<X> end_features)
      : model_(&model),
        teacher_(&teacher),
        analytic_(analytic),
        end_features_(std::move(end_features)),
        first_sample_(teacher.size() + 1) {
    for (std::size_t b = 0; b < teacher.size(); ++b) {
      teacher_features_.push_back(end_features_(teacher[b].states.back()));
      const std::size_t samples = sample_count(teacher[b].states[0]), of_features = sample_count(teacher_features_[b]);
      require(of_features == samples, "the number of samples of the end features", of_features,
              {samples, ", as of the state"});
      first_sample_[b + 1] = first_sample_[b] + samples;
    }
  }

  /// The state of the teacher at the right end of a row.
  const X& teacher_state(std::size_t batch, std::size_t row) const { return (*teacher_)[batch].states[row + 1]; }
  /// The index of a batch's first sample among all.
  std::size_t first_sample(std::size_t batch) const { return first_sample_[batch]; }
  bool analytic_first_step() const { return analytic_; }

  /// out <- the slope at the left end of a row
  void slope(const Table& table, std::size_t row, const X& x, X& out) const {
    const double sigma = table.levels[row];
    if (row == 0 && analytic_) model_->analytic(x, sigma, out);
    else model_->slope(x, sigma * table.rows[row].sigma_scale, sigma, out);
  }

  /// Computes the state at the right end of a row from the state and slopes at its left end.
  static void step(const Table& table, std::size_t row, TableRun<X>& run) {
    X& y = run.states[row + 1];
    copy(y, run.states[row]);
    const std::vector<double>& weights = table.rows[row].weights;
    for (std::size_t k = 0; k < weights.size(); ++k) add_scaled(y, weights[k], run.slopes[row - k]);
  }

  /// Completes a run from the state at the left end of `row`.
  /// @param keep_slope  whether the slope there is kept; else it is evaluated
  void finish(const Table& table, TableRun<X>& run, std::size_t row, bool keep_slope = false) const {
    for (std::size_t i = row; i < table.rows.size(); ++i) {
      if (i > row || !keep_slope) slope(table, i, run.states[i], run.slopes[i]);
      step(table, i, run);
    }
  }

  /// An empty run: only the state at its start is set.
  TableRun<X> start(std::size_t batch) const {
    TableRun<X> run;
    const std::vector<X>& teacher = (*teacher_)[batch].states;
    for (const X& x : teacher) run.states.push_back(algebra<X>::like(x));
    for (std::size_t i = 0; i + 1 < teacher.size(); ++i) run.slopes.push_back(algebra<X>::like(teacher[i]));
    copy(run.states[0], teacher[0]);
    return run;
  }
  Runs run_all(const Table& table) const {
    Runs runs(teacher_->size());
    for (std::size_t b = 0; b < runs.size(); ++b) {
      runs[b] = start(b);
      finish(table, runs[b], 0);
    }
    return runs;
  }

  X end_features(const TableRun<X>& run) const { return end_features_(run.states.back()); }

  /// The teacher's end features minus those of a run of the same batch.
  X to_teacher(std::size_t batch, const TableRun<X>& run) const {
    return difference(teacher_features_[batch], end_features(run));
  }

  /// Squared distances between the end features of the runs and the teacher's for samples begin to end - 1;
  /// `lost_sample` where not finite.
  std::vector<double> squared_distances(const Runs& runs, std::size_t begin, std::size_t end) const {
    std::vector<double> squares(end - begin);
    for (std::size_t b = 0; b < runs.size(); ++b) {
      const X change = to_teacher(b, runs[b]);
      const std::vector<double> own = algebra<X>::dot(change, change);
      for (std::size_t n = 0; n < own.size(); ++n)
        if (const std::size_t sample = first_sample_[b] + n; sample >= begin && sample < end)
          squares[sample - begin] = std::isfinite(own[n]) ? own[n] : lost_sample;
    }
    return squares;
  }

 private:
  SlopeModel<X>* model_;
  const std::vector<TeacherTrajectory<X>>* teacher_;
  bool analytic_;
  EndFeatures<X> end_features_;
  std::vector<X> teacher_features_;        // of the teacher's ends
  std::vector<std::size_t> first_sample_;  // of each batch, and the number of all samples
};

}  // namespace fewstep::detail
