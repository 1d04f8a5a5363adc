// The tables that autotune() refines: weights fitted by least squares, on one schedule after another.
#pragma once

#include "../../schedules.hpp"
#include "../../solvers/ipndm.hpp"
#include "../branch_choice.hpp"
#include "../branched.hpp"
#include "../tabulate.hpp"
#include "options.hpp"
#include "plan.hpp"
#include "workbench.hpp"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace fewstep::detail {

template <State X, class D, class N>
class StartSearch {
 public:
  /// Keeps references.
  /// @param combination  of the branches that are weighed apart; empty: one branch
  /// @param report       whether to go on
  StartSearch(Workbench<X, D, N>& bench, const AutotuneOptions& options, const AutotunePlan& plan, double sigma_max,
              const std::vector<double>& combination, const std::function<bool()>& report)
      : bench_(bench),
        options_(options),
        plan_(plan),
        sigma_max_(sigma_max),
        combination_(combination),
        report_(report) {}

  /// All schedules with and without an analytic first step on few batches, then the best of them on more.
  /// @return the best first; empty where the search was stopped
  std::vector<AutotuneStart> run() {
    std::vector<AutotuneStart> all;
    for (const ScheduleFamily& family : raced_schedules)
      for (const bool afs : {false, true}) {
        all.push_back(fit(start_on(family, afs, 0), choice_batches));
        if (!report_()) return {};
      }
    sort(all);
    std::vector<AutotuneStart> best;
    for (std::size_t k = 0; k < finalists; ++k) {
      const AutotuneStart& one = all[k];
      best.push_back(fit(one, plan_.first));
      if (branched()) best.push_back(fit(weighed_apart(one), plan_.first));
      if (!report_()) return {};
    }
    sort(best);
    if (branched() && !spend(best)) return {};
    return best;
  }

 private:
  bool branched() const { return combination_.size() > 1; }

  static void sort(std::vector<AutotuneStart>& starts) {
    std::stable_sort(starts.begin(), starts.end(),
                     [](const AutotuneStart& a, const AutotuneStart& b) { return a.score() < b.score(); });
  }

  /// A table whose weights are to be fitted.
  /// @param more  rows beyond those that the evaluations allow
  AutotuneStart start_on(const ScheduleFamily& family, bool afs, int more) const {
    const int steps = options_.evaluations + afs + more;
    AutotuneStart start;
    start.text = std::string(family.name) + ", " + std::to_string(steps) + " steps" + (afs ? ", AFS" : "");
    start.family = family.name;
    start.table = tabulate(Ipndm{.order = 2}, family.make(steps, options_.sigma_min, sigma_max_));
    start.analytic_first_step = afs;
    return start;
  }
  AutotuneStart weighed_apart(AutotuneStart start) const {
    start.text += ", branches";
    start.table = fewstep::branched(start.table, combination_, start.analytic_first_step);
    return start;
  }

  /// The weights by least squares to the first batches.
  AutotuneStart fit(AutotuneStart start, std::size_t batches) {
    const CalibrationOptions options{.held_out = batches == plan_.first ? plan_.held_out_share(batches) : 0.5,
                                     .analytic_first_step = start.analytic_first_step};
    const CalibrationProgress p =
        bench_.calibrate(start.table, options, batches, [](Calibrator<X>& calibrator) { calibrator.advance(); });
    start.table = p.best;
    start.rms = p.best_rms;
    start.median = p.best_median;
    return start;
  }

  /// Adds tables with one and two more levels on the best schedule, at the same number of network evaluations.
  bool spend(std::vector<AutotuneStart>& starts) {
    const AutotuneStart best = starts[0];
    for (int more = 1; more <= 2; ++more) {
      if (spending_calls(more, best.analytic_first_step) * 6 > options_.calls) break;
      const double score = starts[0].score();
      if (!spend(starts, best, more)) return false;
      sort(starts);
      if (!(starts[0].score() < score)) break;
    }
    return true;
  }
  /// Calls that choosing the evaluations to leave out takes.
  std::size_t spending_calls(int more, bool afs) const {
    const auto rows = static_cast<std::size_t>(options_.evaluations + more), branches = combination_.size();
    const std::size_t of_fit = 3 * (rows + !afs) * choice_batches;
    return fits_to_spend(rows, branches, branches * static_cast<std::size_t>(more)) * of_fit;
  }
  bool spend(std::vector<AutotuneStart>& starts, const AutotuneStart& best, int more) {
    const bool afs = best.analytic_first_step;
    const auto family = std::find_if(raced_schedules.begin(), raced_schedules.end(),
                                     [&](const ScheduleFamily& f) { return f.name == best.family; });
    const AutotuneStart whole = weighed_apart(start_on(*family, afs, more));
    const std::size_t evaluations = combination_.size() * static_cast<std::size_t>(options_.evaluations);
    bool going = true;
    auto spent = spend_evaluations(whole.table, evaluations, afs, [&](const Table& table) {
      going = going && report_();
      AutotuneStart fitted = whole;
      fitted.text += " left out";
      fitted.table = table;
      return going ? fit(std::move(fitted), choice_batches) : fitted;
    });
    if (going && spent) starts.push_back(fit(std::move(*spent), plan_.first));
    return going && report_();
  }

  static constexpr std::size_t finalists = 3, choice_batches = 2;

  Workbench<X, D, N>& bench_;
  const AutotuneOptions& options_;
  const AutotunePlan& plan_;
  double sigma_max_;
  const std::vector<double>& combination_;
  const std::function<bool()>& report_;
};

}  // namespace fewstep::detail
