// The stages of autotune().
#pragma once

#include "../branch_choice.hpp"
#include "../branched.hpp"
#include "options.hpp"
#include "plan.hpp"
#include "workbench.hpp"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <string>
#include <string_view>
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
        plan_(options, (std::max)(combination_.size(), std::size_t{1})),
        bench_(denoise, noise, plan_.batches() + plan_.unseen, state_.calls) {}

  Autotuned run() {
    const bool whole = check() && teach(plan_.batches()) && race() && fit_starts() && refine() &&
                       teach(plan_.batches() + plan_.unseen);
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

  bool teach(std::size_t batches) {
    const Schedule schedule = karras({.steps = teacher_steps_per_row * (options_.evaluations + 1),
                                      .sigma_min = options_.sigma_min,
                                      .sigma_max = sigma_max()});
    const std::size_t calls = state_.calls;
    while (bench_.batches() < batches) {
      bench_.teach(schedule);
      if (!report()) return false;
    }
    if (state_.stage > Stage::teacher) return state_.calls = calls, true;  // counted before
    return finish(Stage::teacher);
  }

  void measure(Racer& racer, std::size_t batches) {
    const EndDistances ends = end_distances(bench_.squares(racer.table, racer.analytic_first_step, 0, batches));
    racer.rms = ends.lost == 0 ? ends.rms : std::numeric_limits<double>::infinity();
    racer.median = ends.lost == 0 ? ends.median : std::numeric_limits<double>::infinity();
  }

  /// All on one batch, the best quarter on three, the best on all that are fitted to.
  bool race() {
    if (state_.stage > Stage::race) return true;
    std::vector<Racer> field = racers(options_.evaluations, options_.sigma_min, sigma_max(), plan_.whole_race);
    for (const auto& [batches, kept] :
         {std::pair<std::size_t, std::size_t>{1, field.size() / 4}, {3, std::size_t{12}}, {plan_.fitted, leaders}}) {
      for (Racer& racer : field) {
        measure(racer, (std::min)(batches, plan_.fitted));
        if (!report()) return false;
      }
      std::stable_sort(field.begin(), field.end(),
                       [](const Racer& a, const Racer& b) { return a.score() < b.score(); });
      if (field.size() > kept) field.erase(field.begin() + static_cast<std::ptrdiff_t>(kept), field.end());
    }
    state_.leaders = std::move(field);
    return finish(Stage::race);
  }

  /// @param batches  all that there are, or fewer, of which half are held out
  CalibrationOptions fit_options(bool analytic_first_step, std::size_t batches) const {
    const double held_out = static_cast<double>(plan_.held_out) / static_cast<double>(batches);
    return {.held_out = batches == plan_.batches() ? held_out : 0.5, .analytic_first_step = analytic_first_step};
  }

  /// The table with its weights fitted by least squares to the first batches.
  AutotuneStart fit_weights(std::string text, std::string family, const Table& table, bool analytic_first_step,
                            std::size_t batches) {
    const CalibrationProgress p = bench_.calibrate(table, fit_options(analytic_first_step, batches), batches,
                                                   [](Calibrator<X>& calibrator) { calibrator.advance(); });
    return {std::move(text), std::move(family), p.best, analytic_first_step, p.best_rms, p.best_median};
  }

  /// Fits tables on the schedules of the best classic solvers.
  bool fit_starts() {
    if (state_.stage > Stage::start) return true;
    std::vector<const Racer*> tried;
    for (const Racer& racer : state_.leaders) {
      const bool known = std::any_of(tried.begin(), tried.end(), [&](const Racer* other) {
        return other->family == racer.family && other->analytic_first_step == racer.analytic_first_step;
      });
      if (known || tried.size() == starts || racer.table.evaluations() > 1) continue;
      tried.push_back(&racer);
      add_starts(racer);
      if (!report()) return false;
    }
    if (state_.starts.empty()) return false;
    sort_starts();
    if (combination_.size() > 1 && !spend()) return false;
    return finish(Stage::start);
  }
  void sort_starts() {
    std::stable_sort(state_.starts.begin(), state_.starts.end(),
                     [](const AutotuneStart& a, const AutotuneStart& b) { return a.score() < b.score(); });
  }
  void add_starts(const Racer& racer) {
    const bool afs = racer.analytic_first_step;
    const Table whole = in_slopes(racer.table);
    state_.starts.push_back(fit_weights(racer.text, racer.family, whole, afs, plan_.batches()));
    if (combination_.size() > 1)
      state_.starts.push_back(fit_weights(racer.text + ", branches", racer.family, branched(whole, combination_, afs),
                                          afs, plan_.batches()));
  }

  /// Tables with one and two more levels on the best schedule, at the same number of network evaluations.
  bool spend() {
    const AutotuneStart best = state_.starts[0];
    for (int more = 1; more <= 2; ++more)
      if (spending_calls(more, best.analytic_first_step) * 5 < options_.calls && !spend(best, more)) return false;
    sort_starts();
    return true;
  }
  /// Calls that choosing the evaluations to leave out takes.
  std::size_t spending_calls(int more, bool analytic_first_step) const {
    const auto rows = static_cast<std::size_t>(options_.evaluations + more), branches = combination_.size();
    const std::size_t of_fit = 3 * (rows + !analytic_first_step) * choice_batches;
    return fits_to_spend(rows, branches, branches * static_cast<std::size_t>(more)) * of_fit;
  }
  bool spend(const AutotuneStart& best, int more) {
    const bool afs = best.analytic_first_step;
    const auto family = std::find_if(raced_schedules.begin(), raced_schedules.end(),
                                     [&](const ScheduleFamily& f) { return f.name == best.family; });
    const int rows = options_.evaluations + afs + more;
    const Table whole =
        branched(tabulate(Ipndm{.order = 2}, family->make(rows, options_.sigma_min, sigma_max())), combination_, afs);
    const std::string text =
        best.family + ", " + std::to_string(rows) + " steps" + (afs ? ", AFS" : "") + ", branches left out";
    const std::size_t evaluations = combination_.size() * static_cast<std::size_t>(options_.evaluations);
    bool going = true;
    const auto spent = spend_evaluations(whole, evaluations, afs, [&](const Table& table) {
      going = going && report();
      AutotuneStart fitted;
      if (going) fitted = fit_weights(text, best.family, table, afs, choice_batches);
      return fitted;
    });
    if (going && spent) state_.starts.push_back(fit_weights(text, best.family, spent->table, afs, plan_.batches()));
    return going && report();
  }

  /// Iterations from the best start until the calls are spent or nothing improves.
  bool refine() {
    if (state_.stage > Stage::refine) return true;
    const AutotuneStart& start = state_.starts[0];
    CalibrationOptions options = fit_options(start.analytic_first_step, plan_.batches());
    options.iterations = (std::numeric_limits<int>::max)();
    options.resume = state_.refinement;
    const int rows = options_.evaluations + 1;
    const std::size_t reserved = plan_.unseen * static_cast<std::size_t>(2 * (teacher_steps_per_row + 1) * rows);
    bool going = true;
    state_.refinement = bench_.calibrate(start.table, options, plan_.batches(), [&](Calibrator<X>& calibrator) {
      const CalibrationProgress& p = calibrator.progress();
      while (going && p.stage - p.best_stage <= patience && state_.calls + reserved < options_.calls &&
             calibrator.advance()) {
        state_.refinement = calibrator.progress();
        going = report();
      }
    });
    return going && finish(Stage::refine);
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
      const std::size_t begin = plan_.batches(), end = begin + plan_.unseen;
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

  static constexpr std::size_t leaders = 8, starts = 6, choice_batches = 2;
  static constexpr int patience = 2;

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
