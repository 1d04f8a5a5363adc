// A predictor whose predictions a training by finite differences records and shifts.
#pragma once

#include "../plugin/predictor.hpp"
#include "../solver.hpp"
#include "algebra.hpp"

#include <torch/types.h>
#include <torch/utils.h>

#include <cstddef>
#include <memory>
#include <vector>

namespace fewstep {

namespace detail {

/// What a ProbedPredictor does at present: it passes predictions through, records them, or replaces one of them.
struct ProbeState {
  enum class Mode { idle, recording, replacing } mode = Mode::idle;
  bool gradients = false;                           // whether recorded predictions have gradients
  std::vector<Prediction<torch::Tensor>> recorded;  // the predictions of one step
  std::size_t calls = 0, replaced = 0;              // calls since the shifted run began, and the one to replace
  Prediction<torch::Tensor> replacement{};
};

inline Prediction<torch::Tensor> detached(Prediction<torch::Tensor> p) {
  for (Level<torch::Tensor>* t : {&p.ratio, &p.direction_scale, &p.sigma_scale}) t->detach();
  return p;
}

}  // namespace detail

/// Connects the ProbedPredictor inside a student with finite_greedy_pass() or finite_end_to_end_loss(). Copies refer to
/// the same probe. At most one training at a time may use it.
class PredictorProbe {
 public:
  /// Whether predictions belong to a shifted run at present. A log of predictions leaves those out.
  bool shifted() const { return state_->mode == detail::ProbeState::Mode::replacing; }

  /// For the library only.
  const std::shared_ptr<detail::ProbeState>& state() const { return state_; }

 private:
  std::shared_ptr<detail::ProbeState> state_ = std::make_shared<detail::ProbeState>();
};

/// A predictor whose predictions a PredictorProbe records and shifts. In all other runs it predicts as P does, with
/// gradients.
///   PredictorProbe probe;
///   Amed student{Ipndm{.order = 3}, ProbedPredictor{TensorAmedPredictor(network), probe}};
/// @tparam P  a TimePredictor on tensors whose prediction depends on nothing but its arguments
template <class P>
struct ProbedPredictor {
  P predictor;
  PredictorProbe probe{};

  static constexpr bool per_sample = detail::per_sample<P>;
  /// @throws std::invalid_argument for settings of the predictor that are out of range.
  void validate() const { detail::validate(predictor); }

  void operator()(const Step<torch::Tensor>& n, const torch::Tensor* features, Prediction<torch::Tensor>& out) const {
    using Mode = detail::ProbeState::Mode;
    detail::ProbeState& state = *probe.state();
    if (state.mode == Mode::idle) return predictor(n, features, out);
    if (state.mode == Mode::replacing && state.calls++ == state.replaced) {
      out = state.replacement;
      return;
    }
    const torch::AutoGradMode gradients(state.mode == Mode::recording && state.gradients);
    predictor(n, features, out);
    if (state.mode == Mode::recording) state.recorded.push_back(out);
    out = detail::detached(out);
  }
};
template <class P>
ProbedPredictor(P, PredictorProbe) -> ProbedPredictor<P>;

}  // namespace fewstep
