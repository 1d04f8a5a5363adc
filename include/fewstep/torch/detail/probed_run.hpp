// A student's run without gradients, and central differences of a loss with respect to its predictions.
#pragma once

#include "../../denoisers/adaptor.hpp"
#include "../../errors.hpp"
#include "../../run.hpp"
#include "../../schedule.hpp"
#include "../algebra.hpp"
#include "../probed_predictor.hpp"

#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <tuple>
#include <utility>
#include <vector>

namespace fewstep::detail {

/// The rule of a denoiser that remembers the evaluations of one step, so that shifted copies of the step do not repeat
/// those at the same states and levels.
struct StepEvaluations {
  static constexpr bool stateful = true;
  struct Evaluation {
    torch::Tensor x;
    Level<torch::Tensor> sigma;
    torch::Tensor out, features;
    bool has_features;

    bool at(const torch::Tensor& y, const Level<torch::Tensor>& level) const {
      if (sigma.per_sample() != level.per_sample()) return false;
      return (sigma.per_sample() ? torch::equal(sigma.each(), level.each()) : sigma.value() == level.value()) &&
             (x.is_same(y) || torch::equal(x, y));
    }
  };
  bool recording = false;
  std::vector<Evaluation> recorded{};

  template <class D>
  bool operator()(const torch::Tensor& x, const Level<torch::Tensor>& sigma, torch::Tensor& out,
                  torch::Tensor& features, D& denoise) {
    Evaluation made{x, sigma, {}, {}, false};
    const auto known = std::find_if(recorded.begin(), recorded.end(), [&](const auto& e) { return e.at(x, sigma); });
    if (!recording && known != recorded.end()) {
      made = *known;
    } else {
      made.has_features = detail::denoise(denoise, x, sigma, made.out, made.features);
      // LibTorch does not differentiate functions of inference tensors, but those of their copies.
      if (made.has_features) made.features = made.features.clone();
      if (recording) recorded.push_back(made);
    }
    out = made.out;
    features = made.features;
    return made.has_features;
  }
};

/// A run of a student with a ProbedPredictor. Each step is made again by copies of the run with one output of one
/// prediction shifted, and the differences of their losses are the derivatives that multiply the outputs' gradients.
/// @tparam D  the denoiser's type, const where it is constant
template <class S, class D>
class ProbedRun {
  using X = torch::Tensor;
  using Remembering = Adaptor<StepEvaluations, D&>;
  using StudentRun = Run<X, Remembering&, S>;

 public:
  /// @param denoise  outlives this object
  ProbedRun(const S& student, D& denoise, const Schedule& schedule, const Options& options, const X& x,
            const PredictorProbe& probe, double epsilon)
      : probe_(probe.state()),
        epsilon_(epsilon),
        denoise_{{}, std::tuple<D&>(denoise)},
        run_(student, denoise_, schedule, x, options) {}
  ProbedRun(const ProbedRun&) = delete;
  ProbedRun& operator=(const ProbedRun&) = delete;
  ~ProbedRun() { *probe_ = {}; }

  StudentRun& run() { return run_; }

  /// Makes one step and, where gradients are enabled, the shifted copies of it.
  /// @param losses  makes the step of a shifted copy, StudentRun&, and returns the losses of its samples, [B]
  /// @return a tensor [] whose gradient is that of the sum of losses; its value has no meaning. Undefined: no gradient
  /// @throws std::invalid_argument if no prediction was recorded in a step with a level other than 0 at its end.
  template <class Losses>
  X step(const Losses& losses) {
    const StudentRun left = run_;
    record();
    const std::vector<Prediction<X>>& made = probe_->recorded;
    require(!made.empty() || run_.status() != Status::running || run_.schedule()[run_.index()] == 0, "the probe",
            "without predictions in a step", "that of the student's ProbedPredictor");
    X sum;
    for (std::size_t call = 0; call < made.size(); ++call)
      for (const Output output :
           {&Prediction<X>::ratio, &Prediction<X>::direction_scale, &Prediction<X>::sigma_scale}) {
        const X& each = (made[call].*output).each();
        if (!each.defined() || !each.requires_grad()) continue;
        const X term = (derivative(left, call, output, losses).to(each.options()) * each).sum();
        sum = sum.defined() ? sum + term : term;
      }
    return sum;
  }

 private:
  using Mode = ProbeState::Mode;
  using Output = Level<X> Prediction<X>::*;

  /// Sets the probe's mode while it exists.
  struct During {
    ProbeState& probe;
    During(ProbeState& p, Mode mode) : probe(p) { probe.mode = mode; }
    ~During() { probe.mode = Mode::idle; }
    During(const During&) = delete;
    During& operator=(const During&) = delete;
  };

  /// Makes a step of the run; its predictions and evaluations are recorded.
  void record() {
    probe_->gradients = torch::GradMode::is_enabled();
    probe_->recorded.clear();
    denoise_.rule = {.recording = true};
    const torch::NoGradGuard no_gradients;
    const During recording(*probe_, Mode::recording);
    run_.advance();
    denoise_.rule.recording = false;
  }

  /// Returns the derivative of each sample's loss with respect to one output of one prediction, [B].
  template <class Losses>
  X derivative(const StudentRun& left, std::size_t call, Output output, const Losses& losses) {
    const torch::NoGradGuard no_gradients;
    const X value = (probe_->recorded[call].*output).each();
    const X room = output == &Prediction<X>::ratio ? torch::minimum(value, 1 - value) : value;
    const X shift = (room / 2).clamp_max(epsilon_), above = value + shift, below = value - shift;
    const auto losses_at = [&](const X& shifted) {
      probe_->calls = 0;
      probe_->replaced = call;
      probe_->replacement = detached(probe_->recorded[call]);
      probe_->replacement.*output = Level<X>(shifted);
      const During replacing(*probe_, Mode::replacing);
      StudentRun copy = left;
      return losses(copy);
    };
    const X upper = losses_at(above), lower = losses_at(below);
    return (upper - lower) / (above - below).to(upper.options());
  }

  std::shared_ptr<ProbeState> probe_;
  double epsilon_;
  Remembering denoise_;
  StudentRun run_;
};

}  // namespace fewstep::detail
