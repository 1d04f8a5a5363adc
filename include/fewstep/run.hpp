// The driver: it makes the evaluation at the left end of each step and hands it to the solver.
#pragma once

#include "denoiser.hpp"
#include "enum_names.hpp"
#include "errors.hpp"
#include "model.hpp"
#include "observer.hpp"
#include "schedule.hpp"
#include "solver.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace fewstep {

/// When a run looks for NaN and infinity.
enum class Check { off, end, every_step };
constexpr std::array<std::string_view, 3> names_of(Check) { return {"off", "end", "every_step"}; }

enum class Status { running, complete, cancelled, non_finite };
constexpr std::array<std::string_view, 4> names_of(Status) {
  return {"running", "complete", "cancelled", "non_finite"};
}

struct Options {
  /// The first slope is x / sqrt(1 + sigma^2), for free (AFS).
  bool analytic_first_step = false;
  /// Whether multistep solvers extrapolate from that slope in later steps too. It is right for data ~ N(0, 1) only.
  bool analytic_in_history = true;
  /// One more evaluation at the end: x <- D(x, last level). It is no step of the solver.
  bool final_denoise = false;
  /// Applied to every denoised batch that a data-prediction solver sees, never to the final one.
  std::optional<Thresholding> thresholding = {};
  /// When to look for NaN and infinity; only every_step can name the step.
  Check check = Check::end;
  /// The part of the schedule to run: steps [first_step, last_step). History starts empty.
  std::size_t first_step = 0, last_step = (std::numeric_limits<std::size_t>::max)();
  /// Asked before each evaluation; true ends the run with the last completed step.
  std::function<bool()> stop = {};
  /// Record gradients in sample() and integrate(). Run leaves that to the caller.
  bool gradients = false;
};

/// Network evaluations of a run, known beforehand. `per_call`: of the denoiser (guidance: 2; with an interval: at
/// most).
template <class S>
int evaluations(const S& solver, const Schedule& schedule, const Options& options = {}, int per_call = 1) {
  const std::size_t last = (std::min)(options.last_step, schedule.steps());
  int calls = options.final_denoise ? 1 : 0;
  StepCount at;
  for (std::size_t i = options.first_step; i < last; ++i) {
    const bool analytic = i == options.first_step && options.analytic_first_step;
    at.steps_left = schedule.steps() - i;
    at.remember = !analytic || options.analytic_in_history;
    calls += schedule[i + 1] == 0 ? 1 : detail::step_evaluations(solver, at) - (analytic ? 1 : 0);
  }
  return calls * per_call;
}

/// What came of a run. Unconstrained on purpose: it stands in signatures and must not steal the diagnosis.
template <class X>
struct Result {
  X x;
  Status status;
  int evaluations;        // calls of the denoiser, one after another
  int total_evaluations;  // of its network, where a call takes several
  std::size_t steps;      // completed; with Status::non_finite under every_step: the index of the step that failed
};

/// One trajectory, advanced by hand: the loop inside sample(), and the one for training. Copying a Run copies its place
/// and history. D may be a reference type: an lvalue denoiser is referred to, a temporary kept.
template <State X, class D, class S>
  requires Denoiser<std::remove_reference_t<D>, X> && Solver<S, X> &&
           (!detail::per_sample<S> || PerSampleDenoiser<std::remove_reference_t<D>, X>)
class Run {
 public:
  /// @param x  the state at level schedule[options.first_step]
  /// @throws std::invalid_argument for options, schedule, solver or state that do not fit.
  Run(S solver, D&& denoise, Schedule schedule, X x0, Options options = {})
      : x(std::move(x0)),
        solver_(checked(std::move(solver))),
        denoise_(std::forward<D>(denoise)),
        schedule_(std::move(schedule)),
        options_(std::move(options)),
        model_(denoise_, target_of(solver_), options_.thresholding, options_.stop),
        memory_(solver_.memory(valid(x))),
        first_(algebra<X>::like(x)),
        backup_(algebra<X>::like(x)),
        index_(options_.first_step) {
    options_.last_step = (std::min)(options_.last_step, schedule_.steps());
    require(options_.first_step < options_.last_step, "first_step", options_.first_step,
            "less than " + std::to_string(options_.last_step));
    require(!options_.analytic_first_step || schedule_.decreasing(), "analytic_first_step", true,
            "false for an increasing schedule");
    require(!options_.final_denoise || schedule_[options_.last_step] > 0, "final_denoise", true,
            "false for a schedule that ends at 0");
    if (options_.thresholding) {
      const auto& [quantile, floor, ceiling] = *options_.thresholding;
      require(quantile >= 0 && quantile <= 1, "thresholding.quantile", quantile, "0 to 1");
      require(floor > 0, "thresholding.floor", floor, "positive numbers");
      require(ceiling >= floor, "thresholding.ceiling", ceiling, "numbers of floor or more");
    }
  }

  Run(const Run& o)
      : x(o.x),
        solver_(o.solver_),
        denoise_(o.denoise_),
        schedule_(o.schedule_),
        options_(o.options_),
        model_(o.model_),
        memory_(o.memory_),
        first_(o.first_),
        backup_(o.backup_),
        from_(o.from_),
        to_(o.to_),
        index_(o.index_),
        status_(o.status_) {
    model_.rebind(denoise_);
  }
  Run& operator=(const Run&) = delete;

  bool done() const { return status_ != Status::running || index_ == options_.last_step; }

  /// Makes one step. False when there was none to make, or it was cancelled or checked and found non-finite.
  bool advance() {
    if (done()) return false;
    from_ = Level<X>(schedule_[index_]);
    to_ = Level<X>(schedule_[index_ + 1]);
    const bool to_zero = schedule_[index_ + 1] == 0;
    // Only a step of several evaluations can be left half done.
    const bool guarded = options_.stop && solver_.evaluations() > 1 && !to_zero;
    if (guarded) detail::copy(backup_, x);
    try {
      if (to_zero) {
        model_.denoised(x, from_, first_);
        std::swap(x, first_);
      } else {
        const bool analytic = index_ == options_.first_step && options_.analytic_first_step;
        if (analytic) model_.analytic(x, from_, first_);
        else if (const double sigma_scale = detail::sigma_scale(solver_, index_); sigma_scale != 1)
          model_(x, Level<X>(sigma_scale * schedule_[index_]), from_, first_);
        else model_(x, from_, first_);
        const bool remember = !analytic || options_.analytic_in_history;
        solver_.step(Step<X>{from_, to_, index_, schedule_.steps(), remember}, x, first_, model_, memory_);
      }
    } catch (const detail::Cancelled&) {
      if (guarded) std::swap(x, backup_);
      status_ = Status::cancelled;
      return false;
    }
    if (options_.check == Check::every_step && !algebra<X>::finite(x)) {
      status_ = Status::non_finite;
      return false;
    }
    ++index_;
    return true;
  }

  /// After the last step: the final denoise, where asked for, and the check.
  Status finish() {
    if (status_ != Status::running) return status_;
    try {
      if (options_.final_denoise) {
        from_ = Level<X>(schedule_[options_.last_step]);
        model_.denoised(x, from_, first_);
        std::swap(x, first_);
      }
    } catch (const detail::Cancelled&) {
      return status_ = Status::cancelled;
    }
    const bool good = options_.check == Check::off || algebra<X>::finite(x);
    return status_ = good ? Status::complete : Status::non_finite;
  }

  void cancel() { status_ = Status::cancelled; }

  /// Makes constants of the state and of all that the solver remembers.
  void detach() {
    algebra<X>::detach(x);
    memory_.detach();
  }

  std::size_t index() const { return index_; }
  Status status() const { return status_; }
  const Schedule& schedule() const { return schedule_; }
  int evaluations() const { return model_.evaluations(); }
  int total_evaluations() const { return model_.total_evaluations(); }
  Snapshot<X> snapshot() const {  // of the step just made
    return {index_ - 1, schedule_.steps(), schedule_[index_ - 1], schedule_[index_], evaluations(), x};
  }

  X x;

 private:
  static S checked(S solver) {
    detail::validate(solver);
    return solver;
  }
  static const X& valid(const X& x) {
    algebra<X>::validate(x);
    return x;
  }

  S solver_;
  D denoise_;
  Schedule schedule_;
  Options options_;
  Model<X, std::remove_reference_t<D>> model_;
  Memory<S, X> memory_;
  X first_, backup_;
  Level<X> from_{0.}, to_{0.};
  std::size_t index_;
  Status status_ = Status::running;
};

template <class S, class D, class X>
Run(S, D&&, Schedule, X, Options) -> Run<X, D, S>;
template <class S, class D, class X>
Run(S, D&&, Schedule, X) -> Run<X, D, S>;

struct Silent {
  void operator()(const auto&) const {}
};

/// Carries a state along a schedule: image-to-image, resuming, inversion.
/// @param x  the state at level schedule[options.first_step], e.g. clean + sigma * noise
/// @param observe  called once after each step; one that returns false cancels
/// @throws std::invalid_argument for bad configuration; what the denoiser throws passes through.
template <State X, class S, class D, class O = Silent>
  requires Denoiser<std::remove_reference_t<D>, X> && Solver<S, X> && Observer<O, X> &&
           (!detail::per_sample<S> || PerSampleDenoiser<std::remove_reference_t<D>, X>)
Result<X> integrate(const S& solver, D&& denoise, const Schedule& schedule, X x, const Options& options = {},
                    O&& observe = {}) {
  std::optional<Result<X>> result;
  {
    [[maybe_unused]] const typename algebra<X>::inference mode(!options.gradients);
    Run<X, std::remove_reference_t<D>&, S> run(solver, denoise, schedule, std::move(x), options);
    while (run.advance()) {
      if constexpr (std::is_same_v<decltype(observe(run.snapshot())), bool>) {
        if (!observe(run.snapshot())) run.cancel();
      } else {
        observe(run.snapshot());
      }
    }
    run.finish();
    result = Result<X>{std::move(run.x), run.status(), run.evaluations(), run.total_evaluations(), run.index()};
  }
  if (!options.gradients) algebra<X>::release(result->x);
  return *std::move(result);
}

/// Draws samples: unit Gaussian noise in, scaled by the schedule's first level, then as integrate().
template <State X, class S, class D, class O = Silent>
  requires Denoiser<std::remove_reference_t<D>, X> && Solver<S, X> && Observer<O, X> &&
           (!detail::per_sample<S> || PerSampleDenoiser<std::remove_reference_t<D>, X>)
Result<X> sample(const S& solver, D&& denoise, const Schedule& schedule, X noise, const Options& options = {},
                 O&& observe = {}) {
  algebra<X>::validate(noise);
  const Level<X> level(schedule[(std::min)(options.first_step, schedule.steps())]);
  X x = algebra<X>::like(noise);
  combine(x, levels(level), [](const auto& s) { return std::tuple{s}; }, noise);
  return integrate(solver, std::forward<D>(denoise), schedule, std::move(x), options, std::forward<O>(observe));
}

}  // namespace fewstep
