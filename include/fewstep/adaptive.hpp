// Runs that choose their own steps: DPM-Solver-12 and DPM-Solver-23.
#pragma once

#include "algebra.hpp"
#include "denoiser.hpp"
#include "errors.hpp"
#include "model.hpp"
#include "run_loop.hpp"
#include "scalar.hpp"
#include "solvers/singlestep_dpm.hpp"

#include <array>
#include <cmath>
#include <cstddef>
#include <functional>
#include <type_traits>
#include <utility>
#include <vector>

namespace fewstep {

/// Options of integrate_adaptive(); the defaults are k-diffusion's.
struct AdaptiveOptions {
  int order = 3;             ///< 2 or 3, of the method that makes the steps; one order less estimates the error
  double relative = 0.05;    ///< tolerance relative to the state, 0 or more
  double absolute = 0.0078;  ///< tolerance, positive: numbers that an image of 8 bits cannot tell apart
  double first_step = 0.05;  ///< length of the first step in log(sigma), positive
  double proportional = 0, integral = 1, derivative = 0;  ///< coefficients of the PID controller of the length
  double accept_safety = 0.81;      ///< a step is accepted if the next one would be at least this many times as long
  int most_evaluations = 100'000;   ///< 3 or more; the run ends (Status::cancelled) before it would take more
  std::function<bool()> stop = {};  ///< called before each evaluation; true ends the run (Status::cancelled)
};

/// The result of integrate_adaptive().
template <class X>
struct AdaptiveResult {
  X x;                         ///< the state at the last level reached
  Status status;               ///< complete, cancelled, or non_finite: an error or a length is NaN or infinite
  int evaluations;             ///< calls of the denoiser
  int total_evaluations;       ///< network evaluations in these calls
  std::vector<double> levels;  ///< the levels reached, with the first one
  int rejected;                ///< steps that were too long and made again
};

namespace detail {

/// The length of steps by a PID controller on 1/error, as in k-diffusion.
class StepLength {
 public:
  explicit StepLength(const AdaptiveOptions& o) : length_(o.first_step), accept_safety_(o.accept_safety) {
    const double p = o.proportional / o.order, i = o.integral / o.order, d = o.derivative / o.order;
    powers_ = {p + i + d, -(p + 2 * d), d};
  }
  double length() const { return length_; }

  /// Changes the length by the error of a step; whether that step is accepted.
  bool accept(double error) {
    constexpr double least = 1e-8;  // added to the error
    const double inverse = 1 / (error + least);
    if (inverse_ == Three{}) inverse_ = {inverse, inverse, inverse};
    inverse_[0] = inverse;
    double factor = 1;
    for (std::size_t k = 0; k < inverse_.size(); ++k) factor *= std::pow(inverse_[k], powers_[k]);
    factor = 1 + std::atan(factor - 1);
    const bool accepted = factor >= accept_safety_;
    if (accepted) inverse_ = {inverse_[0], inverse_[0], inverse_[1]};
    length_ *= factor;
    return accepted;
  }

 private:
  using Three = std::array<double, 3>;

  double length_, accept_safety_;
  Three powers_{}, inverse_{};  // newest first
};

inline void validate(const AdaptiveOptions& o, double from, double to) {
  require(o.order == 2 || o.order == 3, "order", o.order, "2 or 3");
  require(o.relative >= 0 && std::isfinite(o.relative), "relative", o.relative, "0 or more");
  require(o.absolute > 0 && std::isfinite(o.absolute), "absolute", o.absolute, "positive numbers");
  require(o.first_step > 0 && std::isfinite(o.first_step), "first_step", o.first_step, "positive numbers");
  for (const double c : {o.proportional, o.integral, o.derivative})
    require(std::isfinite(c), "a coefficient of the controller", c, "finite numbers");
  require(o.accept_safety > 0 && o.accept_safety < 1, "accept_safety", o.accept_safety, "numbers between 0 and 1");
  require(o.most_evaluations >= 3, "most_evaluations", o.most_evaluations, "3 or more");
  for (const double level : {from, to}) require(is_level(level), "a noise level", level, allowed_levels);
  require(from != to, "the last level", to, "another level than the first");
}

/// Steps of two orders from one state, which share their evaluations.
template <State X, class D>
class PairedSteps {
 public:
  PairedSteps(const AdaptiveOptions& o, D& denoise, const X& x)
      : high_{o.order, Target::slope, o.order == 2 ? 1. / 2 : 1. / 3},
        model_(denoise, Target::slope, {}, &o.stop),
        slope_(algebra<X>::like(x)),
        y_(algebra<X>::like(x)),
        low_(algebra<X>::like(x)),
        stages_(high_.memory(x)) {}

  int evaluations() const { return model_.evaluations(); }
  int total_evaluations() const { return model_.total_evaluations(); }
  X& high() { return y_; }
  X& low() { return low_; }

  /// Evaluates the slope from which all tries of a step start.
  void start(const X& x, double from) { model_(x, Level<X>(from), slope_); }

  /// Sets high() and low() to the states at `to`.
  void make(const X& x, double from, double to) {
    const Level<X> t(from), s(to);
    const Step<X> n{t, s, {}, {}};  // its place in a run, which single steps do not use
    copy(y_, x);
    ModelRef<X> model(model_);
    high_.step(n, y_, slope_, model, stages_);
    const auto at = levels(t, s);
    if (high_.order == 2) combine(low_, at, high_.weights(1, 0, true), x, slope_, slope_);
    else combine(low_, at, high_.weights(1, 1 / high_.r1, false), x, slope_, stages_.m1);
  }

 private:
  SinglestepDpm high_;
  Model<X, D> model_;
  X slope_, y_, low_;
  SinglestepDpm::Stages<X> stages_;
};

/// The run of integrate_adaptive().
template <State X, class D>
void run_adaptive(D& denoise, double to, const AdaptiveOptions& options, AdaptiveResult<X>& result) {
  using std::swap;                  // or the state's own
  constexpr double reached = 1e-5;  // in log(sigma)
  [[maybe_unused]] const typename algebra<X>::inference mode(true);
  PairedSteps<X, D> steps(options, denoise, result.x);
  StepLength length(options);
  X previous = copied(result.x);
  double level = result.levels.front(), place = std::log(level);
  const double last = std::log(to), sign = to < level ? -1 : 1;
  bool fresh = true;  // the state's slope is not evaluated yet
  try {
    while (sign * (last - place) > reached) {
      if (steps.evaluations() + options.order > options.most_evaluations) throw Cancelled{};
      if (fresh) steps.start(result.x, level);
      const bool ends = length.length() >= sign * (last - place);
      const double next = ends ? last : place + sign * length.length(), next_level = ends ? to : std::exp(next);
      steps.make(result.x, level, next_level);
      const double error =
          algebra<X>::scaled_error(steps.low(), steps.high(), previous, options.absolute, options.relative);
      if (algebra<double>::finite(error)) fresh = length.accept(error);
      if (!algebra<double>::finite(error + length.length())) {
        result.status = Status::non_finite;
        break;
      }
      result.rejected += !fresh;
      if (!fresh) continue;
      place = next;
      level = next_level;
      result.levels.push_back(level);
      swap(previous, steps.low());
      swap(result.x, steps.high());
    }
  } catch (const Cancelled&) {
    result.status = Status::cancelled;
  }
  result.evaluations = steps.evaluations();
  result.total_evaluations = steps.total_evaluations();
}

}  // namespace detail

/// Carries a state from one noise level to another by steps of DPM-Solver-2 or -3, whose lengths follow from their
/// errors: the root mean square over all numbers of the batch of
///
///   (low - high)/max(absolute, relative max(|low|, |previous low|))
///
/// low, high: the states by the lower and the higher order. A rejected step is made again from the same slope, so it
/// takes order - 1 evaluations.
/// @param from, to  noise levels above 0; `to` above `from` inverts
/// @param x  a batch of states at level `from`, e.g. from * (unit noise)
/// @throws std::invalid_argument for an option or state out of range; what the denoiser throws passes through.
/// Source: Lu et al. 2022, arXiv 2206.00927; sample_dpm_adaptive of k-diffusion.
template <State X, class D>
  requires Denoiser<std::remove_reference_t<D>, X>
AdaptiveResult<X> integrate_adaptive(D&& denoise, double from, double to, X x, const AdaptiveOptions& options = {}) {
  detail::validate(options, from, to);
  algebra<X>::validate(x);
  AdaptiveResult<X> result{std::move(x), Status::complete, {}, {}, {from}, {}};
  detail::run_adaptive(denoise, to, options, result);
  algebra<X>::release(result.x);
  return result;
}

}  // namespace fewstep
