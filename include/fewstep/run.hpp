// Running a solver: sample(), integrate(), and Run for one step at a time.
#pragma once

#include "denoiser.hpp"
#include "enum_names.hpp"
#include "model.hpp"
#include "observer.hpp"
#include "options.hpp"
#include "schedule.hpp"
#include "solver.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace fewstep {

enum class Status {
  running,    ///< Run only: there are steps left, or finish() was not called
  complete,   ///< all steps were made and the result was found finite, or not checked
  cancelled,  ///< by an observer, by Options::stop or by Run::cancel(); the state is that of the last completed step
  non_finite  ///< NaN or infinity was found (Options::check)
};
constexpr std::array<std::string_view, 4> names_of(Status) {
  return {"running", "complete", "cancelled", "non_finite"};
}

/// The result of sample() and integrate(). X is unconstrained: Result stands in signatures, where a failed constraint
/// would hide the error about the denoiser or the solver.
template <class X>
struct Result {
  X x;                    ///< the state at the last level reached, of the shape of the noise
  Status status;          ///< complete, cancelled or non_finite
  int evaluations;        ///< calls of the denoiser
  int total_evaluations;  ///< NFE: network evaluations in these calls (guidance: 2 each)
  std::size_t steps;      ///< completed steps; with Check::every_step and non_finite, the index of the step that failed
};

/// One trajectory, advanced step by step: for training and for interleaving runs.
///   Run run(Heun{}, denoise, karras({.steps = 5}), x0);
///   while (run.advance()) { ... run.x ... }
///   run.finish();
/// Copying a Run copies its state, position and history. D may be a reference type: an lvalue denoiser is referred to
/// and must outlive the Run, a temporary is kept.
template <State X, class D, class S>
  requires Denoiser<std::remove_reference_t<D>, X> && Solver<S, X> &&
           (!detail::per_sample<S> || PerSampleDenoiser<std::remove_reference_t<D>, X>)
class Run {
 public:
  /// @param x0  the state at level schedule[options.first_step], e.g. unit noise times that level
  /// @throws std::invalid_argument for an option, solver setting or state that is out of range.
  Run(S solver, D&& denoise, Schedule schedule, X x0, Options options = {})
      : x(std::move(x0)),
        solver_(checked(std::move(solver))),
        denoise_(std::forward<D>(denoise)),
        schedule_(std::move(schedule)),
        options_(detail::checked(std::move(options), schedule_)),
        model_(denoise_, target_of(solver_), options_.thresholding, options_.stop),
        memory_(solver_.memory(valid(x))),
        first_(algebra<X>::like(x)),
        backup_(algebra<X>::like(x)),
        index_(options_.first_step) {}

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

  /// Whether advance() has nothing left to do.
  bool done() const { return status_ != Status::running || index_ == options_.last_step; }

  /// Makes one step. What the denoiser throws passes through.
  /// @return false if there was no step left, the run was cancelled, or Check::every_step found a number not finite
  bool advance() {
    if (done()) return false;
    from_ = Level<X>(schedule_[index_]);
    to_ = Level<X>(schedule_[index_ + 1]);
    const bool to_zero = schedule_[index_ + 1] == 0;
    // Only a step of several evaluations can be cancelled halfway.
    const bool guarded = options_.stop && solver_.evaluations() > 1 && !to_zero;
    if (guarded) detail::copy(backup_, x);
    try {
      if (to_zero) replace_by_denoised();
      else step();
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

  /// After the last step: the final denoising evaluation and the check for finite numbers, as the options ask for.
  Status finish() {
    if (status_ != Status::running) return status_;
    try {
      if (options_.final_denoise) {
        from_ = Level<X>(schedule_[options_.last_step]);
        replace_by_denoised();
      }
    } catch (const detail::Cancelled&) {
      return status_ = Status::cancelled;
    }
    const bool good = options_.check == Check::off || algebra<X>::finite(x);
    return status_ = good ? Status::complete : Status::non_finite;
  }

  /// Ends the run: advance() and finish() do nothing from now on.
  void cancel() { status_ = Status::cancelled; }

  /// Cuts the gradient history of the state and of all that the solver remembers.
  void detach() {
    algebra<X>::detach(x);
    memory_.detach();
  }

  std::size_t index() const { return index_; }  ///< of the next step; x is at level schedule()[index()]
  Status status() const { return status_; }
  const Schedule& schedule() const { return schedule_; }
  int evaluations() const { return model_.evaluations(); }              ///< calls of the denoiser so far
  int total_evaluations() const { return model_.total_evaluations(); }  ///< network evaluations in these calls
  /// The step just made; call after advance() returned true.
  Snapshot<X> snapshot() const {
    return {index_ - 1, schedule_.steps(), schedule_[index_ - 1], schedule_[index_], evaluations(), x};
  }

  X x;  ///< the state at level schedule()[index()]

 private:
  static S checked(S solver) {
    detail::validate(solver);
    return solver;
  }
  static const X& valid(const X& x) {
    algebra<X>::validate(x);
    return x;
  }

  /// x <- D(x, from_)
  void replace_by_denoised() {
    model_.denoised(x, from_, first_);
    std::swap(x, first_);
  }

  /// Evaluates the target at the left end and makes the solver's step.
  void step() {
    const bool analytic = index_ == options_.first_step && options_.analytic_first_step;
    if (analytic) model_.analytic(x, from_, first_);
    else if (const double sigma_scale = detail::sigma_scale(solver_, index_); sigma_scale != 1)
      model_(x, Level<X>(sigma_scale * schedule_[index_]), from_, first_);
    else model_(x, from_, first_);
    const bool remember = !analytic || options_.analytic_in_history;
    ModelRef<X> model(model_);
    solver_.step(Step<X>{from_, to_, index_, schedule_.steps(), remember}, x, first_, model, memory_);
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

namespace detail {

/// All steps of a run, without gradients unless the options ask for them.
template <State X, class S, class D, class O>
Result<X> run_to_end(const S& solver, D& denoise, const Schedule& schedule, X x, const Options& options, O& observe) {
  [[maybe_unused]] const typename algebra<X>::inference mode(!options.gradients);
  Run<X, D&, S> run(solver, denoise, schedule, std::move(x), options);
  while (run.advance())
    if (!observed(observe, run.snapshot())) run.cancel();
  run.finish();
  return {std::move(run.x), run.status(), run.evaluations(), run.total_evaluations(), run.index()};
}

}  // namespace detail

/// Carries a state along a schedule: for image-to-image, resuming and inversion; sample() starts from noise.
/// @param solver  any Solver, e.g. Heun{} or AnySolver<X>
/// @param denoise  D(x, sigma) = E[clean | x] in any form of Denoiser; called once per evaluation
/// @param schedule  noise levels: decreasing to sample, increasing to invert
/// @param x  a batch of states at level schedule[options.first_step], e.g. clean + sigma * noise
/// @param observe  called once after each step with a Snapshot; one that returns false cancels
/// @return the state at the last level, and how the run ended. NFE: evaluations(solver, schedule, options)
/// @throws std::invalid_argument for an option, solver setting or state that is out of range; what the denoiser throws
/// passes through.
template <State X, class S, class D, class O = IgnoreSnapshots>
  requires Denoiser<std::remove_reference_t<D>, X> && Solver<S, X> && Observer<O, X> &&
           (!detail::per_sample<S> || PerSampleDenoiser<std::remove_reference_t<D>, X>)
Result<X> integrate(const S& solver, D&& denoise, const Schedule& schedule, X x, const Options& options = {},
                    O&& observe = {}) {
  Result<X> result = detail::run_to_end(solver, denoise, schedule, std::move(x), options, observe);
  if (!options.gradients) algebra<X>::release(result.x);
  return result;
}

/// Draws samples: scales unit Gaussian noise by the schedule's first level and carries it along the schedule.
/// @param noise  independent standard normal numbers, one sample per entry of the batch
/// Other parameters, result and errors as integrate().
template <State X, class S, class D, class O = IgnoreSnapshots>
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
