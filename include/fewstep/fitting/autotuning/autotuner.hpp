// The stages of autotune().
#pragma once

#include "options.hpp"
#include "plan.hpp"
#include "start_search.hpp"
#include "workbench.hpp"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace fewstep::detail {

/// @tparam D  a denoiser or PerBatch
/// @tparam N  (batch) -> unit noise
template <State X, class D, class N>
class Autotuner {
 public:
  /// Keeps references.
  Autotuner(D& denoise, const N& noise, const AutotuneOptions& options)
      : denoise_(denoise),
        noise_(noise),
        options_(options),
        state_(options.resume.value_or(AutotuneState{})),
        combination_(options.branches ? combination_of(denoiser_of(denoise, 0)) : std::vector<double>{}),
        plan_(options, (std::max)(combination_.size(), std::size_t{1}), sample_count(X(noise(0)))),
        bench_(denoise, noise, plan_.most + plan_.unseen, state_.calls) {}

  Autotuned run() {
    const bool whole = check() && teach() && race() && fit_starts() && refine() && teach(plan_.unseen);
    Autotuned made;
    made.check = state_.check.value_or(LevelCheck{});
    made.leaders = state_.leaders;
    made.notes = std::move(notes_);
    choose(made, whole);
    return made;
  }

 private:
  using Stage = AutotuneStage;

  /// @return whether to go on
  bool report() const { return !options_.report || options_.report(state_); }
  bool finish(Stage stage) {
    state_.stage = static_cast<Stage>(static_cast<int>(stage) + 1);
    return report();
  }

  bool check() {
    if (!state_.check) {
      auto&& first = denoiser_of(denoise_, 0);
      state_.check = check_levels(first, X(noise_(0)), options_.sigma_min, options_.sigma_max);
      state_.calls += state_.check->levels.size();
    }
    const double top = state_.check->usable_max;
    if (top < options_.sigma_max)
      Text({"the denoiser explodes above the noise level ", top, ", where the schedule begins"})
          .append_to(notes_.emplace_back());
    return state_.stage > Stage::check || finish(Stage::check);
  }
  double sigma_max() const { return state_.check->usable_max; }

  /// The teacher's trajectories, of those batches that are not yet known; all are counted when the stage begins.
  bool teach() {
    if (state_.batches == 0) {
      state_.batches = plan_.first;
      state_.calls += state_.batches * plan_.teacher();
    }
    return teach_counted(state_.batches) && (state_.stage > Stage::teacher || finish(Stage::teacher));
  }
  /// Those of the report.
  bool teach(std::size_t unseen) {
    state_.calls += unseen * plan_.teacher();
    return teach_counted(state_.batches + unseen);
  }
  bool teach_counted(std::size_t batches) {
    const Schedule schedule = karras({.steps = teacher_steps_per_row * (options_.evaluations + 1),
                                      .sigma_min = options_.sigma_min,
                                      .sigma_max = sigma_max()});
    while (bench_.batches() < batches) {
      bench_.teach(schedule);
      if (!report()) return false;
    }
    return true;
  }

  /// All on one batch, the best 24 on three, the best 8 on all.
  bool race() {
    if (state_.stage > Stage::race) return true;
    std::vector<Racer> field = racers(options_.evaluations, options_.sigma_min, sigma_max(), plan_.whole_race);
    for (const auto& [batches, kept] :
         {std::pair<std::size_t, std::size_t>{1, 24}, {3, leaders}, {plan_.first, leaders}}) {
      for (Racer& racer : field) {
        racer.rate(end_distances(bench_.squares(racer.table, racer.analytic_first_step, 0, batches)));
        if (!report()) return false;
      }
      std::stable_sort(field.begin(), field.end(),
                       [](const Racer& a, const Racer& b) { return a.score() < b.score(); });
      if (field.size() > kept) field.erase(field.begin() + static_cast<std::ptrdiff_t>(kept), field.end());
    }
    state_.leaders = std::move(field);
    return finish(Stage::race);
  }

  bool fit_starts() {
    if (state_.stage > Stage::start) return true;
    const std::function<bool()> going = [this] { return report(); };
    StartSearch<X, D, N> search(bench_, options_, plan_, sigma_max(), combination_, going);
    state_.starts = search.run();
    return !state_.starts.empty() && finish(Stage::start);
  }

  /// Iterations from the best start. Once they gain little, they go on with more trajectories, until the calls are
  /// spent.
  bool refine() {
    if (state_.stage > Stage::refine) return true;
    if (!state_.refinement) add_batches(plan_.iterations);
    do {
      if (!teach() || !iterate()) return false;
    } while (add_batches(plan_.iterations / 2));
    return finish(Stage::refine);
  }
  bool iterate() {
    const AutotuneStart& start = state_.starts[0];
    CalibrationOptions options{.held_out = plan_.held_out_share(state_.batches),
                               .iterations = (std::numeric_limits<int>::max)(),
                               .patience = idle_tries,
                               .analytic_first_step = start.analytic_first_step};
    options.resume = state_.refinement;
    bool going = true;
    state_.refinement = bench_.calibrate(start.table, options, state_.batches, [&](Calibrator<X>& calibrator) {
      const CalibrationProgress& p = calibrator.progress();
      const auto limit = [&] { return more_batches(plan_.iterations / 2) ? patience_before_more : patience; };
      while (going && state_.idle < limit() && plan_.iteration(state_.batches) < plan_.left(state_.calls)) {
        const double rms = p.best_rms, median = p.best_median;
        if (!calibrator.advance()) {
          state_.idle = patience;
          break;
        }
        const bool gained = p.stage == 1 || p.best_rms < little * rms || p.best_median < little * median;
        state_.idle = gained ? 0 : state_.idle + 1;
        state_.refinement = p;
        going = report();
      }
    });
    return going;
  }
  /// How many batches there can be for some iterations; 0 where that is hardly more than there are.
  std::size_t more_batches(std::size_t iterations) const {
    const std::size_t batches = plan_.affordable(state_.batches, state_.calls, iterations);
    return batches < state_.batches + state_.batches / 4 ? 0 : batches;
  }
  /// @return whether there are more trajectories, with which the refinement goes on from its best table
  bool add_batches(std::size_t iterations) {
    const std::size_t batches = more_batches(iterations);
    if (batches == 0) return false;
    state_.calls += (batches - state_.batches) * plan_.teacher();
    state_.batches = batches;
    state_.idle = 0;
    if (state_.refinement) {
      state_.refinement->table = state_.refinement->best;
      state_.refinement->damping = CalibrationProgress{}.damping;
    }
    return true;
  }

  /// The fitted table where unseen noise shows that it is better than the best classic solver, else that solver.
  void choose(Autotuned& made, bool whole) {
    if (state_.leaders.empty()) return;
    const Racer& classic = state_.leaders[0];
    made.table = classic.table;
    made.analytic_first_step = classic.analytic_first_step;
    made.text = classic.text;
    if (!state_.refinement) return;
    const bool afs = state_.starts[0].analytic_first_step;
    if (whole) {
      const std::size_t begin = state_.batches, end = begin + plan_.unseen;
      made.unseen = compare_unseen(bench_.squares(state_.refinement->best, afs, begin, end),
                                   bench_.squares(classic.table, classic.analytic_first_step, begin, end));
      if (!made.unseen.better()) {
        made.notes.push_back(
            "on unseen noise the fitted table is not better than the best classic solver, which is the result");
        return;
      }
      if (made.unseen.fitted.tail > 0.5)
        made.notes.push_back(
            "a twentieth of the samples has most of the squared distance: they end in other samples than the "
            "teacher's");
    }
    made.table = state_.refinement->best;
    made.analytic_first_step = afs;
    made.text = "calibrated from " + state_.starts[0].text;
  }

  static constexpr std::size_t leaders = 8;
  // Iterations in a row that gain little, before there are more trajectories and where there will be no more.
  static constexpr int patience_before_more = 2, patience = 4;
  static constexpr int idle_tries = 3;    // that end an iteration
  static constexpr double little = 0.98;  // of a distance, kept

  D& denoise_;
  const N& noise_;
  const AutotuneOptions& options_;
  AutotuneState state_;
  std::vector<double> combination_;
  AutotunePlan plan_;
  Workbench<X, D, N> bench_;
  std::vector<std::string> notes_;
};

}  // namespace fewstep::detail
