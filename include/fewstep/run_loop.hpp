// The loop over the steps of a run, whatever its solver and denoiser: the base of Run.
#pragma once

#include "enum_names.hpp"
#include "model.hpp"
#include "observer.hpp"
#include "options.hpp"
#include "schedule.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string_view>
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

namespace detail {

/// Unit noise times the level at which a run starts.
template <State X>
X scaled_to_start(const X& noise, const Schedule& schedule, const Options& options) {
  algebra<X>::validate(noise);
  X x = algebra<X>::like(noise);
  scale(x, schedule[(std::min)(options.first_step, schedule.steps())], noise);
  return x;
}

/// What the loop needs to know of the solver.
struct LoopTraits {
  bool several_evaluations;  ///< of the denoiser in a step
  bool reaches_zero;         ///< the step to level 0 is the solver's
};

/// The part of a Run that depends on neither solver nor denoiser, and so is compiled once per state type.
template <State X>
class RunLoop {
 public:
  RunLoop& operator=(const RunLoop&) = delete;

  /// Whether advance() has nothing left to do.
  bool done() const { return status_ != Status::running || index_ == options_.last_step; }

  /// Makes one step. What the denoiser throws passes through.
  /// @return false if there was no step left, the run was cancelled, or Check::every_step found a number not finite
  bool advance() {
    using std::swap;  // or the state's own
    if (done()) return false;
    from_ = Level<X>(schedule_[index_]);
    to_ = Level<X>(schedule_[index_ + 1]);
    const bool to_zero = schedule_[index_ + 1] == 0 && !traits_.reaches_zero;
    // Only a step of several evaluations can be cancelled halfway.
    const bool guarded = options_.stop && traits_.several_evaluations && !to_zero;
    if (guarded) detail::copy(backup_, x);
    try {
      if (to_zero) replace_by_denoised();
      else step();
    } catch (const detail::Cancelled&) {
      if (guarded) swap(x, backup_);
      status_ = Status::cancelled;
      return false;
    }
    if (options_.after_step.change) options_.after_step.change(&x, schedule_[index_ + 1]);
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

  std::size_t index() const { return index_; }  ///< of the next step; x is at level schedule()[index()]
  Status status() const { return status_; }
  const Schedule& schedule() const { return schedule_; }
  virtual int evaluations() const = 0;        ///< calls of the denoiser so far
  virtual int total_evaluations() const = 0;  ///< network evaluations in these calls
  /// The step just made; call after advance() returned true.
  Snapshot<X> snapshot() const {
    return {index_ - 1,
            schedule_.steps(),
            schedule_[index_ - 1],
            schedule_[index_],
            evaluations(),
            x,
            denoised_ ? &*denoised_ : nullptr};
  }

  X x;  ///< the state at level schedule()[index()]

 protected:
  RunLoop(const Schedule& schedule, X&& x0, const Options& options, LoopTraits traits)
      : x(std::move(x0)),
        schedule_(schedule),
        options_(options),
        traits_(traits),
        first_(algebra<X>::like(valid(x))),
        backup_(algebra<X>::like(x)),
        index_(options_.first_step) {
    options_.last_step = (std::min)(options_.last_step, schedule_.steps());
    detail::validate(options_, schedule_);
    require(!options_.after_step.change || options_.after_step.type == &detail::type_tag<X>, "after_step",
            "a function of another type of state", "one of the run's type");
    if (options_.keep_denoised) denoised_.emplace(algebra<X>::like(x));
  }
  RunLoop(const RunLoop&) = default;
  ~RunLoop() = default;

  /// out <- D(x, from_)
  virtual void denoised(X& out) = 0;
  /// Evaluates the target at the left end and makes the solver's step.
  virtual void step() = 0;

  /// Keeps the denoised batch of a step for observers.
  /// @param given  whether first_ is that batch, not a slope
  void keep_denoised(bool given) {
    if (!denoised_) return;
    if (given) return detail::copy(*denoised_, first_);
    detail::copy(*denoised_, x);
    add_scaled(*denoised_, -schedule_[index_], first_);
  }

  /// The same for a step whose slope is that of several branches: the point at level 0 on the line of the step.
  void keep_state() {
    if (denoised_) detail::copy(*denoised_, x);
  }
  void keep_aim() {
    if (!denoised_) return;
    const double from = schedule_[index_], part = from / (from - schedule_[index_ + 1]);
    combine(*denoised_, levels(), [part] { return Pack{1. - part, part}; }, *denoised_, x);
  }

  Schedule schedule_;
  Options options_;
  LoopTraits traits_;
  X first_, backup_;
  std::optional<X> denoised_;  // for observers
  Level<X> from_{0.}, to_{0.};
  std::size_t index_;
  Status status_ = Status::running;

 private:
  static const X& valid(const X& x) {
    algebra<X>::validate(x);
    return x;
  }
  void replace_by_denoised() {
    denoised(first_);
    if (denoised_) detail::copy(*denoised_, first_);
    using std::swap;
    swap(x, first_);
  }
};

}  // namespace detail

}  // namespace fewstep
