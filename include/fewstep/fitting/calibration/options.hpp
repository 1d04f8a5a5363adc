// What a calibration is given, and what it reports.
#pragma once

#include "../../enum_names.hpp"
#include "../../solvers/table.hpp"

#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace fewstep {

/// State of a calibration between two stages; also what CalibrationOptions::resume takes.
/// A distance is the norm of the difference between the end features of the table and of the teacher for one held-out
/// sample, divided by the root of the numbers of a sample: for the state itself, the RMS per number. Samples with
/// non-finite ends have none. RMS can be dominated by a
/// few trajectories that land in another image, so a robust (Cauchy) loss selects the best table: the sum of log(1 +
/// distance^2 / (9 median^2)), with the smaller median of the two tables that are compared. Non-finite samples count in
/// it as beyond all others.
struct CalibrationProgress {
  int stage = 0;            ///< completed stages: 0: none; 1: the steps are fitted; from 2 on stage - 1 iterations
  Table table = {};         ///< the present table
  Table best = {};          ///< the one with the least held-out loss so far
  double start_rms = 0;     ///< RMS distance of the starting table
  double steps_rms = 0;     ///< RMS distance after the first stage
  double best_rms = 0;      ///< RMS distance of `best`
  double damping = 1e-2;    ///< Levenberg's damping of the iterations
  double start_median = 0;  ///< median distance of the starting table
  double best_median = 0;   ///< median distance of `best`
  int best_stage = 0;       ///< the stage that made `best`; 0: the start
  std::size_t jacobian_batches = 0;     ///< of the next iteration; 0: not known yet
  std::vector<std::string> notes = {};  ///< warnings, a sentence each
};

struct CalibrationOptions {
  /// Share of the samples, the last ones, that are never fitted to and select the best table; 0 to 1, exclusive.
  double held_out = 0.25;
  /// Added to the diagonal of the normalised Gram matrix of each step's least squares; 0 or more. 100 and 10,000 times
  /// as much are tried too.
  double ridge = 1e-6;
  /// The most slopes that a step may use, 1 or more; 0: all so far.
  std::size_t history = 0;
  /// Gauss-Newton iterations on the ends of trajectories after the steps are fitted; 0: none. 5 to 10 are useful.
  int iterations = 5;
  /// Steps tried in each iteration, 1 or more. All use one Jacobian, corrected after each (Broyden 1965): a try costs
  /// one run, the Jacobian costs many.
  int tries = 8;
  /// Tries in a row that each lower the loss by less than 1%, after which an iteration ends, 1 or more; by default it
  /// uses all tries. 3 is useful where calls are few.
  int patience = (std::numeric_limits<int>::max)();
  /// The least number of batches in an iteration's Jacobian, 1 or more. With per_batch(): enough to see how the
  /// denoisers differ.
  std::size_t jacobian_batches = 1;
  /// The first slope is the analytic first step's and costs no evaluation: run the fitted table with the same option.
  bool analytic_first_step = true;
  /// Steps of the teacher, Heun's method, for each row of the table; 2 or more. Unused where a teacher is given.
  int teacher_steps = 6;
  /// Called before the first stage and after each stage; false stops, and the best table so far is returned.
  std::function<bool(const CalibrationProgress&)> report = {};
  /// Continues an earlier calibration with the same samples and options; distances are measured again.
  std::optional<CalibrationProgress> resume = {};

  /// The number of held-out samples among `total`.
  std::size_t held_out_count(std::size_t total) const {
    return static_cast<std::size_t>(std::llround(held_out * static_cast<double>(total)));
  }
};

/// A fitted table and its distances to the teacher, defined as in CalibrationProgress.
struct Calibration {
  Table table;
  double start_rms, steps_rms, best_rms;
  double start_median, best_median;
  std::vector<std::string> notes;
  /// Estimated median distance between the teacher and the exact solution; NaN where a teacher was given.
  double teacher_error = std::numeric_limits<double>::quiet_NaN();
};

/// Checks that a table has the form that calibrate() can fit: slopes, no midpoints, carries of 1.
/// @throws std::invalid_argument naming what does not fit.
inline void require_calibratable(const Table& table) {
  table.validate();
  require(table.target == Target::slope, "the table's target", to_string(table.target), "slope");
  require(table.evaluations() == 1, "the table", "one with midpoints", "tables of one evaluation per row");
  for (const Table::Row& row : table.rows) require(row.carry == 1, "a carry of the table", row.carry, "1");
}

/// Checks all that calibrate() is given before the teacher is run.
/// @param samples  in all batches
/// @throws std::invalid_argument naming what does not fit.
inline void require_calibratable(const Table& start, std::size_t samples, const CalibrationOptions& options) {
  require_calibratable(start);
  require(options.held_out > 0 && options.held_out < 1, "held_out", options.held_out, "numbers between 0 and 1");
  require(options.ridge >= 0 && std::isfinite(options.ridge), "ridge", options.ridge, "0 and positive numbers");
  require(options.tries >= 1, "tries", options.tries, "1 or more");
  require(options.patience >= 1, "patience", options.patience, "1 or more");
  require(options.jacobian_batches >= 1, "jacobian_batches", 0, "1 or more");
  require(samples >= 3, "the number of trajectories", samples, "3 or more, of which some are held out");
  const std::size_t fitted = samples - options.held_out_count(samples);
  require(fitted >= 2 && fitted < samples, "held_out", options.held_out,
          {"shares that leave 2 or more of ", samples, " trajectories to fit to and 1 or more held out"});
}

}  // namespace fewstep
