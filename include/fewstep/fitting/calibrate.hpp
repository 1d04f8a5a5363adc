// A solver's numbers fitted to a model and a number of evaluations, without gradients: the model is only ever called.
#pragma once

#include "../solvers/heun.hpp"
#include "calibration/end_fit.hpp"
#include "calibration/step_fit.hpp"
#include "tabulate.hpp"
#include "teacher.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace fewstep {

/// How far a calibration is. Distances are of ends, as seen, to the teacher's on held-out trajectories: the root mean
/// square, which a few may decide that end in another place. So the best is told by another loss, for which those
/// hardly count. Samples that are no numbers count in that loss as beyond all others, in the distances not at all.
struct CalibrationProgress {
  int stage = 0;     // 0: nothing is fitted; 1: the steps are; from 2 on stage - 1 iterations are done
  Table table = {};  // as it is now
  Table best = {};   // the nearest so far
  double start_rms = 0, steps_rms = 0,
         best_rms = 0;                       // of the solver it started from, after the first stage, of the best
  double damping = 1e-2;                     // Levenberg's
  double start_median = 0, best_median = 0;  // the median distance at first and of the best
  double best_loss = 0;                      // the loss of the best, Cauchy's on the scale of `start_median`
  std::vector<std::string> notes = {};       // sentences: what did not go as it should
};

struct CalibrationOptions {
  /// The share of trajectories that are never fitted to, the last ones, and decide.
  double held_out = 0.25;
  /// Added to the diagonal of the normalised Gram matrix of each step; 100 and 10,000 times as much are tried too.
  double ridge = 1e-6;
  /// How many slopes a step may use at most; 0: all there are.
  std::size_t history = 0;
  /// Gauss-Newton iterations on where trajectories end, after the steps have been fitted one by one.
  int iterations = 5;
  /// Steps tried in each iteration, all by the same finite differences, corrected by what the tries before showed
  /// (Broyden 1965): a try costs a run, the differences cost many.
  int tries = 8;
  /// The first slope is the analytic start's, for free: run the table with the same option.
  bool analytic_first_step = true;
  /// Steps of the teacher, Heun's method, in each of the table's.
  int teacher_steps = 6;
  /// Called at first and after each stage that moved something; false stops with what was reached.
  std::function<bool(const CalibrationProgress&)> report = {};
  /// To go on from there, with the same noise and options; distances are measured again.
  std::optional<CalibrationProgress> resume = {};

  /// How many of so many trajectories are held out.
  std::size_t held_out_count(std::size_t total) const {
    return static_cast<std::size_t>(std::llround(held_out * static_cast<double>(total)));
  }
};

/// A fitted table, and its distance to the teacher on held-out trajectories.
struct Calibration {
  Table table;
  double start_rms, steps_rms, best_rms;  // as in CalibrationProgress
  double start_median, best_median;       // likewise
  double teacher_error;  // the median distance of the teacher to the solution, estimated; no number where it was given
  std::vector<std::string> notes;  // as in CalibrationProgress
};

/// The median distance of a teacher's ends to the solution, estimated: of a method of second order by what fewer steps
/// change.
/// @param fine, coarse  where the same noise ends in `steps` and in `fewer` steps, as calibrate() sees it
template <State X>
double teacher_error(const X& fine, int steps, const X& coarse, int fewer) {
  const X change = detail::difference(fine, coarse);
  const double ratio = static_cast<double>(steps) / fewer;
  return std::sqrt(detail::median_of(algebra<X>::dot(change, change))) / (ratio * ratio - 1);
}

/// A table that calibrate() can move.
/// @throws std::invalid_argument naming what does not fit.
inline void require_calibratable(const Table& table) {
  table.validate();
  require(table.target == Target::slope, "the table's target", "denoised", "slope");
  require(table.evaluations() == 1, "the table", "one with midpoints", "tables of one evaluation a row");
  for (const Table::Row& row : table.rows) require(row.carry == 1, "a carry of the table", row.carry, "1");
}

/// What calibrate() can begin with, told before a teacher is asked.
/// @throws std::invalid_argument naming what does not fit.
inline void require_calibratable(const Table& start, std::size_t trajectories, const CalibrationOptions& options) {
  require_calibratable(start);
  require(options.held_out > 0 && options.held_out < 1, "held_out", options.held_out, "numbers between 0 and 1");
  require(options.ridge >= 0 && std::isfinite(options.ridge), "ridge", options.ridge, "0 and positive numbers");
  require(options.tries >= 1, "tries", options.tries, "1 or more");
  require(trajectories >= 3, "the number of trajectories", trajectories, "3 or more, of which some are held out");
  const std::size_t fitted = trajectories - options.held_out_count(trajectories);
  require(
      fitted >= 2 && fitted < trajectories, "held_out", options.held_out,
      "what leaves 2 or more of " + std::to_string(trajectories) + " trajectories to fit to and 1 or more to decide");
}

namespace detail {
template <State X>
std::size_t samples_of(const X& batch) {
  return algebra<X>::dot(batch, batch).size();
}
template <State X>
std::size_t samples_of(const std::vector<X>& batches) {
  std::size_t count = 0;
  for (const X& batch : batches) count += samples_of(batch);
  return count;
}
template <State X>
std::size_t samples_of(const std::vector<TeacherTrajectory<X>>& batches) {
  std::size_t count = 0;
  for (const TeacherTrajectory<X>& batch : batches) count += samples_of(batch.states[0]);
  return count;
}
}  // namespace detail

/// @param teacher  a trajectory for each batch: its start, and a state for each row of `start`
/// @param see      as below
template <State X, class D, class See = std::identity>
Calibration calibrate(D&& denoise, const Table& start, const std::vector<TeacherTrajectory<X>>& teacher,
                      const CalibrationOptions& options, const See& see = {}) {
  [[maybe_unused]] const typename algebra<X>::inference mode(true);
  const std::size_t total = detail::samples_of(teacher), fitted = total - options.held_out_count(total);
  require_calibratable(start, total, options);
  detail::TableRuns<X, std::remove_reference_t<D>> runs(denoise, options.analytic_first_step, see);
  for (const TeacherTrajectory<X>& one : teacher) {
    require(one.states.size() == start.levels.size(), "the number of states of the teacher", one.states.size(),
            std::to_string(start.levels.size()) + ", the table's levels");
    if (!algebra<X>::finite(one.states.back())) throw std::runtime_error("the teacher's samples are not finite");
    std::vector<X> states;
    for (std::size_t i = 1; i < one.states.size(); ++i) states.push_back(detail::copied(one.states[i]));
    runs.add(detail::copied(one.states[0]), std::move(states));
  }
  const auto held_out = [&] {
    const std::vector<double> all = runs.squares();
    return std::vector<double>(all.begin() + static_cast<std::ptrdiff_t>(fitted), all.end());
  };
  CalibrationProgress p{.table = start, .best = start};
  const bool resumed = options.resume && options.resume->stage > 0;
  if (resumed) {
    p = *options.resume;
    require(p.damping > 0 && std::isfinite(p.damping), "the damping of what is resumed", p.damping, "positive numbers");
    for (const Table& t : {p.table, p.best}) {
      require_calibratable(t);
      require(t.rows.size() == start.rows.size(), "the rows of what is resumed", t.rows.size(),
              std::to_string(start.rows.size()) + ", the table's");
      require(t.levels.front() == start.levels.front() && t.levels.back() == start.levels.back(),
              "the first and last level of what is resumed",
              std::to_string(t.levels.front()) + " and " + std::to_string(t.levels.back()), "the table's");
    }
  }
  const auto rms = [&] { return detail::rms_of(detail::finite_of(held_out())); };
  const auto median = [&] { return std::sqrt(detail::median_of(detail::finite_of(held_out()))); };
  const auto loss = [&] {
    return detail::cauchy_of(held_out(),
                             (std::max)(p.start_median * p.start_median, (std::numeric_limits<double>::min)()));
  };

  runs.walk_all(start);
  if (detail::finite_of(held_out()).empty())
    throw std::runtime_error("the samples of the table to start from are not finite");
  p.start_rms = rms();
  p.start_median = median();
  const double at_first = loss();
  if (resumed) {
    // Its distances are measured again: what it says is nothing that could make a worse table than the start look
    // better.
    runs.walk_all(p.best);
    if (!(loss() <= at_first)) runs.walk_all(p.best = start);
    p.best_loss = loss(), p.best_rms = rms(), p.best_median = median();
    runs.walk_all(p.table);
  } else {
    const std::vector<double> all = runs.squares();
    const auto lost = std::count(all.begin(), all.end(), detail::lost_sample);
    if (lost > 0)
      p.notes.push_back(std::to_string(lost) + " of " + std::to_string(total) +
                        " trajectories of the table to start from are not finite");
    if (total - fitted < 10)
      p.notes.push_back("only " + std::to_string(total - fitted) + " of " + std::to_string(total) +
                        " trajectories are held out, and decide");
    p.steps_rms = p.best_rms = p.start_rms;
    p.best_median = p.start_median;
    p.best_loss = at_first;
  }
  while (!options.report || options.report(p)) {
    if (p.stage == 0) {
      const std::size_t blind = detail::fit_steps(
          p.table, runs, fitted, options.history == 0 ? start.rows.size() : options.history, options.ridge);
      if (blind > 0)
        p.notes.push_back(std::to_string(blind) + " of " + std::to_string(start.rows.size()) +
                          " steps had nothing to be fitted to, and were Euler's");
      p.steps_rms = rms();
      if (!(loss() < p.best_loss)) {
        p.notes.push_back(
            "fitting the steps brought held-out trajectories no nearer: the iterations began at the table to start "
            "from");
        p.table = start;
        p.steps_rms = p.start_rms;
        runs.walk_all(p.table);
      }
    } else if (p.stage > options.iterations ||
               !detail::fit_ends(p.table, runs, fitted, options.analytic_first_step, options.tries, p.damping)) {
      break;
    }
    ++p.stage;
    if (const double now = loss(); now <= p.best_loss)
      p.best = p.table, p.best_loss = now, p.best_rms = rms(), p.best_median = median();
  }
  return {p.best,
          p.start_rms,
          p.steps_rms,
          p.best_rms,
          p.start_median,
          p.best_median,
          std::numeric_limits<double>::quiet_NaN(),
          p.notes};
}

/// Fits the numbers of a solver to a model: first each step's weights by least squares against a teacher, in one pass;
/// then weights, levels and what the network is told of them together, by Gauss and Newton on where trajectories end.
/// Held-out trajectories decide, and nothing is returned that is worse on them than `start` by the loss that is fitted
/// (CalibrationProgress). Evaluations per trajectory: 2 teacher_steps per row, on the first batch half as many again; 1
/// per row for the start (what is resumed: 3), for the first stage and for each try; for an iteration's differences the
/// later rows of each number, on the trajectories that are fitted to.
/// @param start  of slopes, without midpoints, with carries of 1, e.g. tabulate(Ipndm{.order = 3}, karras({.steps =
/// 6}))
/// @param noise  unit noise, a batch each; some 300 samples in all. The first batch tells the teacher's error too.
/// @param see    what is compared of an end, all of it where nothing is given: a callable (state) -> state of as many
/// samples. Such as
///               numbers limited to what a picture shows, and after them the picture's features by another network.
/// @throws std::invalid_argument naming what does not fit; std::runtime_error for a teacher of which a sample, or a
/// start of which nothing held out, is finite no more; what the model throws. Source: least squares per step, Kim et
/// al. 2024 (D-ODE, one scalar a step); Levenberg 1944; as a whole this library's own.
template <State X, class D, class See = std::identity>
Calibration calibrate(D&& denoise, const Table& start, const std::vector<X>& noise,
                      const CalibrationOptions& options = {}, const See& see = {}) {
  require(options.teacher_steps >= 2, "teacher_steps", options.teacher_steps, "2 or more");
  require(!noise.empty(), "the number of batches of noise", 0, "1 or more");
  require_calibratable(start, detail::samples_of(noise), options);
  const Schedule schedule = start.schedule();
  const auto taught = [&](const X& z, int parts) {
    X x = algebra<X>::like(z);
    scale(x, schedule[0], z);
    return record_teacher(Heun{}, denoise, refined(schedule, parts), x, {.stride = static_cast<std::size_t>(parts)});
  };
  std::vector<TeacherTrajectory<X>> teacher;
  for (const X& z : noise) teacher.push_back(taught(z, options.teacher_steps));
  const int fewer = options.teacher_steps / 2;
  const X coarse = taught(noise[0], fewer).states.back();
  Calibration made = calibrate<X>(denoise, start, teacher, options, see);
  made.teacher_error = teacher_error<X>(see(teacher[0].states.back()), options.teacher_steps, see(coarse), fewer);
  return made;
}

}  // namespace fewstep
