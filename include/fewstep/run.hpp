// Running a solver: sample(), integrate(), and Run for one step at a time.
#pragma once

#include "denoiser.hpp"
#include "model.hpp"
#include "observer.hpp"
#include "options.hpp"
#include "run_loop.hpp"
#include "schedule.hpp"
#include "solver.hpp"

#include <algorithm>
#include <cstddef>
#include <type_traits>
#include <utility>

namespace fewstep {

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
class Run : public detail::RunLoop<X> {
  using Loop = detail::RunLoop<X>;

 public:
  using Loop::x;

  /// @param x0  the state at level schedule[options.first_step], e.g. unit noise times that level
  /// @throws std::invalid_argument for an option, solver setting or state that is out of range.
  Run(const S& solver, D&& denoise, const Schedule& schedule, X x0, const Options& options = {})
      : Loop(schedule, std::move(x0), options, {checked(solver).evaluations() > 1, fewstep::reaches_zero(solver)}),
        solver_(solver),
        denoise_(std::forward<D>(denoise)),
        model_(denoise_, target_of(solver_), this->options_.thresholding, &this->options_.stop),
        memory_(solver_.memory(x)),
        fuses_slope_(detail::fuses_slope<X>(solver_)) {}

  Run(const Run& o)
      : Loop(o),
        solver_(o.solver_),
        denoise_(o.denoise_),
        model_(o.model_),
        memory_(o.memory_),
        fuses_slope_(o.fuses_slope_) {
    model_.rebind(denoise_, &this->options_.stop);
  }

  /// Cuts the gradient history of the state and of all that the solver remembers.
  void detach() {
    algebra<X>::detach(x);
    memory_.detach();
  }

  int evaluations() const override { return model_.evaluations(); }
  int total_evaluations() const override { return model_.total_evaluations(); }

 private:
  static const S& checked(const S& solver) {
    detail::validate(solver);
    return solver;
  }

  void denoised(X& out) override { model_.denoised(x, this->from_, out); }

  void step() override {
    const std::size_t index = this->index();
    const Schedule& schedule = this->schedule();
    const Options& options = this->options_;
    const Level<X>& from = this->from_;
    X& first = this->first_;
    const bool analytic = index == options.first_step && options.analytic_first_step;
    const bool remember = !analytic || options.analytic_in_history;
    const bool pending = fuses_slope_ && !analytic;
    const bool missing = !analytic && branches_of(solver_) > 1;
    if (analytic) model_.analytic(x, from, first);
    else if (!missing) model_(x, Level<X>(detail::sigma_scale(solver_, index) * schedule[index]), from, first, pending);
    if (!missing) this->keep_denoised(pending || target_of(solver_) == Target::denoised);
    else this->keep_state();
    ModelRef<X> model(model_);
    solver_.step(Step<X>{from, this->to_, index, schedule.steps(), remember, pending, missing}, x, first, model,
                 memory_);
    if (missing) this->keep_aim();
  }

  S solver_;
  D denoise_;
  Model<X, std::remove_reference_t<D>> model_;
  Memory<S, X> memory_;
  bool fuses_slope_;
};

template <class S, class D, class X>
Run(const S&, D&&, const Schedule&, X, const Options&) -> Run<X, D, S>;
template <class S, class D, class X>
Run(const S&, D&&, const Schedule&, X) -> Run<X, D, S>;

namespace detail {

/// All steps of a run.
template <State X, class O>
Result<X> run_to_end(RunLoop<X>& run, O& observe) {
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
  const auto run_without_gradients = [&] {
    [[maybe_unused]] const typename algebra<X>::inference mode(!options.gradients);
    Run<X, D&, S> run(solver, denoise, schedule, std::move(x), options);
    return detail::run_to_end(run, observe);
  };
  Result<X> result = run_without_gradients();
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
  return integrate(solver, std::forward<D>(denoise), schedule, detail::scaled_to_start(noise, schedule, options),
                   options, std::forward<O>(observe));
}

}  // namespace fewstep
