// Runs of slope tables from the starts of a teacher's trajectories, and the distances between their ends.
#pragma once

#include "../../branches.hpp"
#include "../../model.hpp"
#include "../../solvers/table.hpp"
#include "../teacher.hpp"
#include "distances.hpp"
#include "sample_sums.hpp"

#include <cmath>
#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace fewstep::detail {

/// Maps a batch of end states to the quantity that is compared, a state with as many samples.
template <State X>
using EndFeatures = std::function<X(const X&)>;

/// The slopes (x - D)/sigma of a denoiser. Its type is erased, so that the rest is compiled once per state type.
template <State X>
struct SlopeModel {
  /// The slopes at x, where the network is called with `network_sigma` and slopes divide by `sigma`.
  /// @param out       one: the denoiser's own slope; several: those of its branches, null where one is not evaluated
  /// @param guidance  that the table's branches are weighed for; none: any
  virtual void slopes(const X& x, double network_sigma, double sigma, std::span<X* const> out,
                      std::optional<double> guidance) = 0;
  /// out <- the slope of the analytic first step at x.
  virtual void analytic(const X& x, double sigma, X& out) = 0;

 protected:
  ~SlopeModel() = default;
};

/// @tparam D  the denoiser; a reference type: kept by reference
template <State X, class D>
struct DenoiserSlopes final : SlopeModel<X> {
  D denoise;
  Model<X, std::remove_reference_t<D>> model;

  explicit DenoiserSlopes(D&& d) : denoise(std::forward<D>(d)), model(denoise, Target::slope) {}
  DenoiserSlopes(const DenoiserSlopes&) = delete;
  DenoiserSlopes& operator=(const DenoiserSlopes&) = delete;
  void slopes(const X& x, double network_sigma, double sigma, std::span<X* const> out,
              std::optional<double> guidance) override {
    const Level<X> network_level(network_sigma), level(sigma);
    if (out.size() == 1) return model(x, network_level, level, *out[0]);
    BranchCall<X> call{.x = x, .outputs = out, .guidance = guidance};
    model.branches(network_level, level, call);
  }
  void analytic(const X& x, double sigma, X& out) override { model.analytic(x, Level<X>(sigma), out); }
};

/// A table's run over one batch. All states and slopes are kept, so that a changed number costs only the evaluations
/// after it.
template <State X>
struct TableRun {
  std::size_t batch = 0;
  std::vector<X> states;               ///< at the table's levels
  std::vector<std::vector<X>> slopes;  ///< [branch][row]; unused where the row does not evaluate the branch
};

/// Runs slope tables over the batches of a teacher's trajectories and compares the ends.
template <State X>
class TableRunner {
 public:
  using Runs = std::vector<TableRun<X>>;  ///< one per batch

  /// @param models    one for all batches, or one per batch; kept by reference
  /// @param teacher   for each batch a state for each level of the tables; kept by reference
  /// @param analytic  whether the first slope is that of the analytic first step
  /// @throws std::invalid_argument for end features of another number of samples.
  TableRunner(std::vector<SlopeModel<X>*> models, const std::vector<TeacherTrajectory<X>>& teacher, bool analytic,
              EndFeatures<X> end_features)
      : models_(std::move(models)),
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
    numbers_ = numbers_of_sample(teacher[0].states[0]);
  }

  /// The state of the teacher at the right end of a row.
  const X& teacher_state(std::size_t batch, std::size_t row) const { return (*teacher_)[batch].states[row + 1]; }
  /// The index of a batch's first sample among all.
  std::size_t first_sample(std::size_t batch) const { return first_sample_[batch]; }
  bool analytic_first_step() const { return analytic_; }
  /// Numbers of a sample, the unit of distances whatever end features are compared.
  double numbers() const { return numbers_; }

  /// Evaluates the slopes at the left end of a row.
  void evaluate(const Table& table, std::size_t row, TableRun<X>& run) const {
    const double sigma = table.levels[row];
    SlopeModel<X>& model = *models_[models_.size() == 1 ? 0 : run.batch];
    if (row == 0 && analytic_) return model.analytic(run.states[0], sigma, run.slopes[0][0]);
    std::vector<X*> out(run.slopes.size());
    for (std::size_t b = 0; b < out.size(); ++b)
      if (table.rows[row].evaluates(b)) out[b] = &run.slopes[b][row];
    model.slopes(run.states[row], sigma * table.rows[row].sigma_scale, sigma, out, table.guidance);
  }

  /// Computes the state at the right end of a row from the state and slopes at its left end.
  static void step(const Table& table, std::size_t row, TableRun<X>& run) {
    X& y = run.states[row + 1];
    copy(y, run.states[row]);
    for (std::size_t b = 0; b < run.slopes.size(); ++b) {
      const std::vector<double>& weights = table.rows[row].weights_of(b);
      for (std::size_t k = 0; k < weights.size(); ++k)
        add_scaled(y, weights[k], run.slopes[b][source_row(table.rows, row, b, k)]);
    }
  }

  /// Completes a run from the state at the left end of `row`.
  /// @param keep_slopes  whether the slopes there are kept; else they are evaluated
  void finish(const Table& table, TableRun<X>& run, std::size_t row, bool keep_slopes = false) const {
    for (std::size_t i = row; i < table.rows.size(); ++i) {
      if (i > row || !keep_slopes) evaluate(table, i, run);
      step(table, i, run);
    }
  }

  /// An empty run: only the state at its start is set.
  TableRun<X> start(std::size_t batch, std::size_t branches) const {
    TableRun<X> run;
    run.batch = batch;
    const std::vector<X>& teacher = (*teacher_)[batch].states;
    for (const X& x : teacher) run.states.push_back(algebra<X>::like(x));
    run.slopes.resize(branches);
    for (std::vector<X>& slopes : run.slopes)
      for (std::size_t i = 0; i + 1 < teacher.size(); ++i) slopes.push_back(algebra<X>::like(teacher[i]));
    copy(run.states[0], teacher[0]);
    return run;
  }
  Runs run_all(const Table& table) const {
    Runs runs(teacher_->size());
    for (std::size_t b = 0; b < runs.size(); ++b) {
      runs[b] = start(b, table.branches());
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
  std::vector<SlopeModel<X>*> models_;
  const std::vector<TeacherTrajectory<X>>* teacher_;
  bool analytic_;
  EndFeatures<X> end_features_;
  double numbers_ = 1;
  std::vector<X> teacher_features_;        // of the teacher's ends
  std::vector<std::size_t> first_sample_;  // of each batch, and the number of all samples
};

}  // namespace fewstep::detail
