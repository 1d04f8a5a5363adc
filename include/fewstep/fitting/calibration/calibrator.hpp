// The stages of a calibration.
#pragma once

#include "../teacher.hpp"
#include "end_fit.hpp"
#include "options.hpp"
#include "step_fit.hpp"
#include "table_runner.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace fewstep::detail {

/// A calibration that advances stage by stage; calibrate() is its loop.
template <State X>
class Calibrator {
 public:
  /// Measures the starting table, and the resumed tables where there are any.
  /// @param models   one for all batches, or one per batch; kept by reference
  /// @param start    kept by reference
  /// @param teacher  for each batch a trajectory with a state for each level of `start`; kept by reference
  /// @param options  kept by reference
  /// @throws as calibrate().
  Calibrator(std::vector<SlopeModel<X>*> models, const Table& start, const std::vector<TeacherTrajectory<X>>& teacher,
             const CalibrationOptions& options, EndFeatures<X> end_features)
      : start_(start),
        options_(options),
        samples_(checked_samples(start, teacher, options)),
        fitted_(samples_ - options.held_out_count(samples_)),
        runner_(std::move(models), teacher, options.analytic_first_step, std::move(end_features)) {
    const bool resumed = options.resume && options.resume->stage > 0;
    if (resumed) require_resumable(*options.resume);
    measure_start();
    if (resumed) resume(*options.resume);
    else add_starting_notes();
  }

  /// Makes the next stage.
  /// @return false where none is left, or where it did not move the table
  bool advance() {
    if (progress_.stage == 0) fit_steps();
    else if (progress_.stage > options_.iterations || !fit_ends()) return false;
    ++progress_.stage;
    if (HeldOut now = held_out(); better(now)) set_best(progress_.table, std::move(now));
    return true;
  }

  /// The first stage: the weights of each step by least squares. The starting table is kept unless they lower the
  /// held-out loss.
  void fit_steps() {
    const std::size_t rows = start_.rows.size();
    const std::size_t history = options_.history == 0 ? rows : options_.history;
    const std::size_t without_slopes =
        detail::fit_steps(progress_.table, runner_, runs_, fitted_, history, options_.ridge);
    if (without_slopes > 0) note({without_slopes, " of ", rows, " steps had no slopes to fit and became Euler steps"});
    const HeldOut now = held_out();
    progress_.steps_rms = now.rms;
    if (better(now)) return;
    note("fitting the steps did not lower the held-out loss; the iterations began with the starting table");
    progress_.steps_rms = progress_.start_rms;
    set_table(start_);
  }

  /// A later stage: one iteration on the ends of trajectories. The Jacobian is that of as many batches as are needed,
  /// others each time: few at first, and twice as many once an iteration gains little.
  /// @return whether it moved the table
  bool fit_ends() {
    constexpr double little = 0.02;  // of the loss
    const std::size_t all = fitted_batches();
    std::size_t& count = progress_.jacobian_batches;
    if (count == 0) count = enough_batches();
    for (;;) {
      const std::size_t used = (std::min)(count, all), first = static_cast<std::size_t>(progress_.stage - 1) * used;
      std::vector<std::size_t> batches(used);
      for (std::size_t k = 0; k < used; ++k) batches[k] = (first + k) % all;
      const double gain = detail::fit_ends(progress_.table, runner_, runs_, fitted_, batches, options_.tries,
                                           options_.patience, progress_.damping);
      if (gain < little && used < all) count = 2 * used;
      if (gain > 0 || used == all) return gain > 0;
    }
  }

  const CalibrationProgress& progress() const { return progress_; }
  /// The result, with a note where one held-out trajectory decides the RMS distance of the best table. Call once.
  Calibration result() {
    if (samples_ - fitted_ >= few_held_out && best_.share > 0.5)
      note({"one of ", samples_ - fitted_, " held-out trajectories has ", static_cast<int>(100 * best_.share),
            "% of their squared distance: on other noise the RMS distance may be far from that measured"});
    CalibrationProgress& p = progress_;
    return {std::move(p.best), p.start_rms, p.steps_rms, p.best_rms, p.start_median, p.best_median, std::move(p.notes)};
  }

 private:
  /// Batches whose samples are fitted to.
  std::size_t fitted_batches() const {
    std::size_t count = 0;
    while (count < runs_.size() && runner_.first_sample(count) < fitted_) ++count;
    return count;
  }
  /// Batches with 40 samples, and 100 numbers of end features for each number of the table, or as many as are asked
  /// for.
  std::size_t enough_batches() const {
    constexpr double least_samples = 40, per_parameter = 100;
    const std::size_t parameters = table_parameters(progress_.table, options_.analytic_first_step).size();
    const double samples =
        (std::max)(least_samples, per_parameter * static_cast<double>(parameters) / runner_.numbers());
    std::size_t count = (std::min)(options_.jacobian_batches, fitted_batches());
    while (count < fitted_batches() && static_cast<double>(runner_.first_sample(count)) < samples) ++count;
    return count;
  }

  static constexpr std::size_t few_held_out = 10;
  static constexpr double infinity = std::numeric_limits<double>::infinity();

  /// The number of samples in all batches, after checking all that the calibration is given.
  static std::size_t checked_samples(const Table& start, const std::vector<TeacherTrajectory<X>>& teacher,
                                     const CalibrationOptions& options) {
    std::size_t samples = 0;
    for (const TeacherTrajectory<X>& trajectory : teacher) {
      require(trajectory.states.size() == start.levels.size(), "the number of states of the teacher",
              trajectory.states.size(), {start.levels.size(), ", as the table's levels"});
      samples += sample_count(trajectory.states[0]);
    }
    require_calibratable(start, samples, options);
    for (const TeacherTrajectory<X>& trajectory : teacher)
      if (!algebra<X>::finite(trajectory.states.back()))
        throw std::runtime_error("the teacher's samples are not finite");
    return samples;
  }

  /// Distances per number between the present runs and the teacher on the held-out samples.
  struct HeldOut {
    double rms = infinity, median = infinity;
    double share = 0;  // of the largest squared distance in the sum of all
    std::vector<double> squares = {};
  };
  HeldOut held_out() const {
    std::vector<double> squares = runner_.squared_distances(runs_, fitted_, samples_);
    for (double& square : squares)
      if (square != lost_sample) square /= runner_.numbers();
    HeldOut made;
    std::vector<double> finite;
    for (const double square : squares)
      if (square != lost_sample) finite.push_back(square);
    made.squares = std::move(squares);
    if (finite.empty()) return made;
    made.rms = rms_of(finite);
    const double largest = *std::max_element(finite.begin(), finite.end());
    const double sum = made.rms * made.rms * static_cast<double>(finite.size());
    made.share = largest / (std::max)(sum, (std::numeric_limits<double>::min)());
    made.median = std::sqrt(median_of(std::move(finite)));
    return made;
  }
  /// Whether the loss is less than that of the best table so far, on the scale of the smaller median: on that of the
  /// start, samples that end in another image would count for more than all others once these are near.
  bool better(const HeldOut& now) const {
    const double scale = (std::min)(now.median, best_.median);
    const double median = (std::max)(scale * scale, (std::numeric_limits<double>::min)());
    return cauchy_loss(now.squares, median) < cauchy_loss(best_.squares, median);
  }

  // A copy is moved in, here and in resume(): assigning it would cost a tenth of the compile time of the quickstart.
  void set_table(const Table& table) {
    progress_.table = Table(table);
    runs_ = runner_.run_all(progress_.table);
  }
  void set_best(const Table& table, HeldOut distances) {
    progress_.best = Table(table);
    progress_.best_rms = distances.rms;
    progress_.best_median = distances.median;
    progress_.best_stage = progress_.stage;
    best_ = std::move(distances);
  }

  void require_resumable(const CalibrationProgress& kept) const {
    require(kept.damping > 0 && std::isfinite(kept.damping), "the resumed damping", kept.damping, "positive numbers");
    for (const Table* table : {&kept.table, &kept.best}) {
      require_calibratable(*table);
      if (table->rows.size() != start_.rows.size())
        refuse("the number of rows of a resumed table", table->rows.size(), start_.rows.size());
      require(table->levels.front() == start_.levels.front(), "the first level of a resumed table",
              table->levels.front(), "the starting table's");
      require(table->levels.back() == start_.levels.back(), "the last level of a resumed table", table->levels.back(),
              "the starting table's");
    }
  }

  void measure_start() {
    set_table(start_);
    HeldOut now = held_out();
    if (now.rms == infinity) throw std::runtime_error("the starting table's samples are not finite");
    progress_.start_rms = progress_.steps_rms = now.rms;
    progress_.start_median = now.median;
    set_best(start_, std::move(now));
  }

  void add_starting_notes() {
    std::size_t lost = 0;
    for (const double square : runner_.squared_distances(runs_, 0, samples_)) lost += square == lost_sample;
    if (lost > 0) note({lost, " of ", samples_, " trajectories of the starting table are not finite"});
    if (samples_ - fitted_ < few_held_out)
      note({samples_ - fitted_, " of ", samples_,
            " trajectories are held out to select the best table: too few to be certain"});
  }
  void note(const Text& text) { text.append_to(progress_.notes.emplace_back()); }

  /// Takes over stage, tables, damping, notes and steps_rms. The other distances are measured, so that wrong figures in
  /// `kept` cannot make a table look better than the start.
  void resume(const CalibrationProgress& kept) {
    progress_.stage = kept.stage;
    progress_.damping = kept.damping;
    progress_.jacobian_batches = kept.jacobian_batches;
    for (const std::string& text : kept.notes) note(text);
    progress_.steps_rms = kept.steps_rms;
    set_table(kept.best);
    if (HeldOut best = held_out(); better(best)) {
      set_best(kept.best, std::move(best));
      progress_.best_stage = kept.best_stage;
    }
    set_table(kept.table);
  }

  const Table& start_;
  const CalibrationOptions& options_;
  const std::size_t samples_, fitted_;
  TableRunner<X> runner_;
  std::vector<TableRun<X>> runs_;  // of progress_.table
  CalibrationProgress progress_;
  HeldOut best_;  // of progress_.best
};

}  // namespace fewstep::detail
