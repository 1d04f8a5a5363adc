// What a run may be told besides solver, denoiser and schedule, and how its evaluations are counted beforehand.
#pragma once

#include "errors.hpp"
#include "model.hpp"
#include "schedule.hpp"
#include "solver.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <functional>
#include <limits>
#include <optional>
#include <string_view>

namespace fewstep {

/// When a run looks for NaN and infinity: never, in its result, or after every step, which costs a pass over the state
/// each but names the step.
enum class Check { off, end, every_step };
constexpr std::array<std::string_view, 3> names_of(Check) { return {"off", "end", "every_step"}; }

namespace detail {
/// Its address stands for the type X.
template <class X>
inline constexpr char type_tag = 0;
}  // namespace detail

/// A function that changes the state after each step, for Options::after_step; made by after_step().
struct AfterStep {
  std::function<void(void* state, double sigma)> change = {};
  const char* type = nullptr;  // of the state
};

/// Options{.after_step = after_step<X>([&](X& x, double sigma) { ... })}: what the run does to its state after each
/// step, for example to keep known parts exact.
/// @param change  called with the state and the level that it has reached; what it throws passes through
template <class X, class F>
AfterStep after_step(F change) {
  return {[change](void* x, double sigma) { change(*static_cast<X*>(x), sigma); }, &detail::type_tag<X>};
}

/// Options of sample(), integrate() and Run. The defaults run the whole schedule as the papers do.
struct Options {
  /// Replaces the first evaluation by an analytic slope (AFS), which saves one evaluation: the slope
  /// x / sqrt(1 + sigma^2) of data with mean 0 and variance 1, or that of the denoiser's own analytic_first_step().
  /// Decreasing schedules only. Source: Dockhorn et al. 2022, arXiv 2210.05475.
  bool analytic_first_step = false;
  /// Whether multistep solvers keep the analytic slope in their history. False helps where it is far from the model's.
  bool analytic_in_history = true;
  /// Ends with x <- D(x, last level), which costs one evaluation and is no step of the solver. Not for schedules that
  /// end at 0, whose last step does the same.
  bool final_denoise = false;
  /// Dynamic thresholding of every denoised batch that a solver with Target::denoised extrapolates; not of the final
  /// one.
  std::optional<Thresholding> thresholding = {};
  /// When to look for NaN and infinity (Status::non_finite).
  Check check = Check::end;
  /// The part of the schedule to run: steps first_step to last_step - 1. The history is empty at first.
  std::size_t first_step = 0, last_step = (std::numeric_limits<std::size_t>::max)();
  /// Called before each evaluation; true ends the run with the state after the last completed step
  /// (Status::cancelled).
  std::function<bool()> stop = {};
  /// Changes the state after each step, before an observer sees it.
  AfterStep after_step = {};
  /// Whether observers receive the denoised batch of each step (Snapshot::denoised), which costs a pass over the state.
  bool keep_denoised = false;
  /// Whether sample() and integrate() record gradients. Run leaves this to the caller.
  bool gradients = false;
};

namespace detail {

/// @param o  with last_step at most the number of steps
/// @throws std::invalid_argument for an option out of range or one that does not suit the schedule.
inline void validate(const Options& o, const Schedule& schedule) {
  require(o.first_step < o.last_step, "first_step", o.first_step, {"less than ", o.last_step});
  require(!o.analytic_first_step || schedule.decreasing(), "analytic_first_step", true,
          "false for an increasing schedule");
  require(!o.final_denoise || schedule[o.last_step] > 0, "final_denoise", true, "false for a schedule that ends at 0");
  if (o.thresholding) {
    const auto& [quantile, floor, ceiling] = *o.thresholding;
    require(quantile >= 0 && quantile <= 1, "thresholding.quantile", quantile, "0 to 1");
    require(floor > 0, "thresholding.floor", floor, "positive numbers");
    require(ceiling >= floor, "thresholding.ceiling", ceiling, "numbers of floor or more");
  }
}

}  // namespace detail

/// The NFE of a run, known beforehand.
/// @param per_call  network evaluations per call of the denoiser: 2 for classifier-free guidance, at most that many
/// with a guidance interval
/// @return the number of network evaluations; for per_call = 1, of denoiser calls (Result::evaluations)
template <class S>
int evaluations(const S& solver, const Schedule& schedule, const Options& options = {}, int per_call = 1) {
  const std::size_t last = (std::min)(options.last_step, schedule.steps());
  const std::size_t branches = branches_of(solver);
  std::size_t evaluated = 0;
  int calls = options.final_denoise ? 1 : 0;
  StepCount at;
  for (std::size_t i = options.first_step; i < last; ++i) {
    const bool analytic = i == options.first_step && options.analytic_first_step;
    at.steps_left = schedule.steps() - i;
    at.remember = !analytic || options.analytic_in_history;
    const bool replaced = schedule[i + 1] == 0 && !reaches_zero(solver);
    const bool whole = replaced || branches == 1;
    if (!whole && !analytic) evaluated += detail::branch_evaluations(solver, i);
    if (whole || per_call == 1) calls += replaced ? 1 : detail::step_evaluations(solver, at) - (analytic ? 1 : 0);
  }
  if (branches == 1 || per_call == 1) return calls * per_call;
  return calls * per_call + static_cast<int>(evaluated) * per_call / static_cast<int>(branches);
}

}  // namespace fewstep
