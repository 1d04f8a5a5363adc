// A run whose network the caller evaluates, for programs that have a sampling loop of their own.
#pragma once

#include "algebra.hpp"
#include "errors.hpp"
#include "run.hpp"

#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

namespace fewstep {

namespace detail {

/// Stands for the network: keeps what it is asked, or gives the output that the caller computed.
template <State X>
class Playback {
 public:
  struct Call {
    X input;
    double label = 0;
    const X* output = nullptr;  // null while the network is only asked
    int calls = 0;
  };
  explicit Playback(std::shared_ptr<Call> call) : call_(std::move(call)) {}

  void operator()(const X& x, double label, X& out) const {
    ++call_->calls;
    if (call_->output) return copy(out, *call_->output);
    call_->label = label;
    copy(call_->input, x);
    scale(out, 0, x);
  }

 private:
  std::shared_ptr<Call> call_;
};

}  // namespace detail

/// One run, whose network the caller evaluates: for solvers of one evaluation per step, in programs that own the loop,
/// such as schedulers of other libraries. The states are those of integrate(), bit by bit.
///
///   Stepper stepper(Dpmpp{}, [&](auto network) { return from_epsilon(network, vp); }, schedule, x);
///   while (!stepper.done()) stepper.step(evaluate_network(stepper.input(), stepper.label()));
///   stepper.x();
template <State X>
class Stepper {
  using Network = detail::Playback<X>;
  using Call = typename Network::Call;

 public:
  /// @param solver  takes one evaluation per step
  /// @param make_denoiser  (network) -> denoiser: adaptors of denoisers.hpp around the given network, which they call
  /// once, or the network itself where the caller's returns denoised batches
  /// @param schedule  noise levels
  /// @param x  the state at level schedule[options.first_step], e.g. unit noise times that level
  /// @param options  as for integrate(), without `stop`: the caller ends the run by not calling step()
  /// @throws std::invalid_argument for another solver or denoiser, or an option, setting or state out of range.
  template <class S, class Make>
    requires Solver<S, X> && Denoiser<std::invoke_result_t<Make&, Network>, X>
  Stepper(const S& solver, Make make_denoiser, const Schedule& schedule, X x, const Options& options = {})
      : call_(std::make_shared<Call>(Call{algebra<X>::like(x)})), unused_(algebra<X>::like(x)) {
    require(!options.stop, "stop", "given", "none for a Stepper, whose caller has the loop");
    held_ = std::make_unique<Held<S, std::invoke_result_t<Make&, Network>>>(solver, make_denoiser(Network(call_)),
                                                                            schedule, std::move(x), options);
    ask();
  }

  /// Whether the run is complete. Then x() is the result and nothing may be asked.
  bool done() const { return done_; }
  /// The network's input for the next evaluation, in the scale that it was trained with.
  const X& input() const { return call_->input; }
  /// The network's label for it: what the denoiser's process makes of the noise level.
  double label() const { return call_->label; }
  /// The noise level of the next evaluation.
  double sigma() const { return sigma_; }
  std::size_t index() const { return held_->index(); }  ///< of the next step
  const X& x() const { return held_->x(); }             ///< the state, at level schedule[index()]
  Status status() const { return held_->status(); }     ///< running until the run is complete

  /// Makes the next step.
  /// @param output  what the network returned for input() and label()
  /// @throws std::invalid_argument after the last step, or for an output of another shape.
  void step(const X& output) {
    require(!done_, "step", held_->index(), "steps of the schedule: the run is complete");
    const struct Playing {  // also where the output is refused
      Call& call;
      ~Playing() { call.output = nullptr; }
    } playing{*call_};
    playing.call.output = &output;
    held_->advance();
    call_->output = nullptr;
    ask();
  }

 private:
  struct Interface {
    virtual ~Interface() = default;
    virtual std::size_t index() const = 0;
    virtual const X& x() const = 0;
    virtual Status status() const = 0;
    virtual bool asks() const = 0;     // the next advance() evaluates the network
    virtual double level() const = 0;  // of that evaluation
    virtual void evaluate(double sigma, X& out) = 0;
    virtual bool advance() = 0;  // a step, or what follows the last one; false where nothing is left
  };

  template <class S, class D>
  struct Held final : Interface {
    S solver;
    D denoise;
    Run<X, D&, S> run;
    Options options;
    bool finished = false;

    Held(const S& s, D d, const Schedule& schedule, X x0, const Options& o)
        : solver(s), denoise(std::move(d)), run(solver, denoise, schedule, std::move(x0), o), options(o) {
      require(solver.evaluations() == 1, "the solver's evaluations per step", solver.evaluations(), "1");
    }
    std::size_t index() const override { return run.index(); }
    const X& x() const override { return run.x; }
    Status status() const override { return run.status(); }
    bool to_zero() const { return run.schedule()[run.index() + 1] == 0 && !reaches_zero(solver); }
    bool asks() const override {
      if (run.done()) return options.final_denoise && !finished;
      return to_zero() || !options.analytic_first_step || run.index() != options.first_step;
    }
    double level() const override {
      const double here = run.schedule()[run.index()];
      return run.done() || to_zero() ? here : detail::sigma_scale(solver, run.index()) * here;
    }
    void evaluate(double sigma, X& out) override {
      Features<X> unused{};
      detail::denoise(denoise, run.x, Level<X>(sigma), out, unused);
    }
    bool advance() override {
      if (finished) return false;
      [[maybe_unused]] const typename algebra<X>::inference mode(!options.gradients);
      if (!run.done()) return run.advance();
      run.finish();
      algebra<X>::release(run.x);
      return finished = true;
    }
  };

  /// Finds out what the network is to be asked next.
  void ask() {
    while (!held_->asks())
      if (!held_->advance()) {
        done_ = true;
        return;
      }
    sigma_ = held_->level();
    call_->calls = 0;
    held_->evaluate(sigma_, unused_);
    require(call_->calls == 1, "the denoiser's calls of its network", call_->calls, "1");
  }

  std::shared_ptr<Call> call_;
  std::unique_ptr<Interface> held_;
  X unused_;  // what the denoiser makes of no output
  double sigma_ = 0;
  bool done_ = false;
};

}  // namespace fewstep
