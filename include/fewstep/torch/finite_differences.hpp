// Training of a predictor for a denoiser that cannot be differentiated, such as a network in ONNX Runtime or a service.
#pragma once

#include "../errors.hpp"
#include "../schedule.hpp"
#include "algebra.hpp"
#include "detail/probed_run.hpp"
#include "probed_predictor.hpp"
#include "training.hpp"

#include <torch/types.h>
#include <torch/utils.h>

#include <type_traits>
#include <utility>
#include <vector>

namespace fewstep {

/// Settings of finite_greedy_pass() and finite_end_to_end_loss().
struct FiniteDifferences {
  /// Distance by which an output of the predictor is shifted, 1e-6 to 0.1; near a border (ratio: 0 and 1; scales: 0) at
  /// most half the distance to it. Small values amplify the network's rounding errors, large ones miss the curvature of
  /// the loss. With the FashionMNIST network of the examples in float32, the default gives gradients within 0.001 of
  /// the largest automatic one. For a network in bfloat16, use 0.01 to 0.03.
  double epsilon = 1e-3;

  /// @throws std::invalid_argument for a value out of range.
  void validate() const {
    require(epsilon >= 1e-6 && epsilon <= 0.1, "FiniteDifferences::epsilon", epsilon, "1e-6 to 0.1");
  }
};

namespace detail {

/// Returns the loss of each sample, [B], in float64 where the device has it.
inline torch::Tensor sample_losses(const torch::Tensor& x, const torch::Tensor& teacher, const EndLoss& loss) {
  const torch::TensorOptions wide = algebra<torch::Tensor>::level_options(x);
  return losses(x.to(wide), teacher.to(wide), loss).reshape({x.size(0), -1}).sum(1);
}

/// Returns the mean over the batch of a run's losses, with a gradient.
/// @param gradient  a tensor [] whose gradient is that of the sum of losses; undefined: none
inline torch::Tensor loss_with_gradient(const torch::Tensor& x, const torch::Tensor& teacher, const EndLoss& loss,
                                        const torch::Tensor& gradient) {
  const double batch = static_cast<double>(x.size(0));
  torch::Tensor value = losses(x, teacher, loss).sum().detach() / batch;
  if (gradient.defined()) value = value + ((gradient - gradient.detach()) / batch).to(value.options());
  return value;
}

}  // namespace detail

/// greedy_pass() for a denoiser that cannot be differentiated. The derivative of a step's loss with respect to each
/// output of the predictor (ratio, direction_scale, sigma_scale) is a central difference,
///
///   dL/dp = (L(p + e) - L(p - e)) / (2 e),   e = min(epsilon, half the distance from p to its border),
///
/// for all samples at once, with per-sample losses L in float64; LibTorch differentiates only the predictor. The loss
/// that `update` receives has the value that greedy_pass() computes, and its backward() gives the sum over samples and
/// outputs of dL/dp * (gradient of p). A shifted run that is not finite makes it NaN. Each sample's result must depend
/// on no other sample of the batch.
/// @param student      a solver with a ProbedPredictor whose parameters require gradients
/// @param denoise      any denoiser; called without gradients
/// @param probe        that of the student's ProbedPredictor
/// @param differences  epsilon
/// Other parameters as greedy_pass().
/// @throws std::invalid_argument for another number of teacher states, an epsilon out of range, or a probe that the
/// student does not have.
/// NFE per step: that of the student, plus those of two shifted steps per output that has gradients. Shifted steps
/// reuse evaluations at the step's own states and levels. A step of Amed (one evaluation in each half), AmedSolver or
/// DpmSolver2 therefore takes 2, plus 2 for a ratio, 0 for a direction_scale and 2 for a sigma_scale. While gradients
/// are disabled: that of the student.
template <class S, class D, class Update>
void finite_greedy_pass(const S& student, D&& denoise, const Schedule& schedule, const Options& options,
                        const std::vector<torch::Tensor>& teacher, Restart restart, Update&& update,
                        const PredictorProbe& probe, const FiniteDifferences& differences = {}) {
  detail::require_states(teacher, schedule);
  differences.validate();
  detail::ProbedRun<S, std::remove_reference_t<D>> probed(student, denoise, schedule, options, teacher[0], probe,
                                                          differences.epsilon);
  auto& run = probed.run();
  while (!run.done()) {
    const torch::Tensor before = run.x, &target = teacher[run.index() + 1];
    const torch::Tensor gradient = probed.step([&](auto& shifted) {
      shifted.advance();
      return detail::sample_losses(shifted.x, target, {});
    });
    if (run.status() != Status::running) return;
    update(GreedyStep{run.index() - 1, before, run.x, detail::loss_with_gradient(run.x, target, {}, gradient)});
    if (restart == Restart::teacher) run.x = teacher[run.index()];
  }
}

/// end_to_end_loss() for a denoiser that cannot be differentiated: as finite_greedy_pass(), with the loss at the end of
/// the trajectory. Shifted copies run to the end, and later steps predict from the features that they then see, so that
/// the gradient includes what a step changes in later predictions.
/// @param student      a solver with a ProbedPredictor whose parameters require gradients
/// @param denoise      any denoiser; called without gradients
/// @param probe        that of the student's ProbedPredictor
/// @param differences  epsilon
/// Other parameters as end_to_end_loss().
/// @return a tensor [] with the value that end_to_end_loss() returns, and gradients
/// @throws std::invalid_argument for an epsilon out of range, or a probe that the student does not have.
/// NFE: that of the student, plus those of two shifted runs per step and output that has gradients, which begin at the
/// step and reuse its evaluations as in finite_greedy_pass(). A student of N steps of 2 evaluations takes 2 N, plus
/// 2 N^2 for a ratio, 2 N (N - 1) for a direction_scale and 2 N^2 for a sigma_scale; an analytic first step saves 1 in
/// all. While gradients are disabled: that of the student.
template <class S, class D>
torch::Tensor finite_end_to_end_loss(const S& student, D&& denoise, const Schedule& schedule, const Options& options,
                                     const torch::Tensor& x, const torch::Tensor& teacher, const PredictorProbe& probe,
                                     const EndLoss& loss = {}, const FiniteDifferences& differences = {}) {
  differences.validate();
  detail::ProbedRun<S, std::remove_reference_t<D>> probed(student, denoise, schedule, options, x, probe,
                                                          differences.epsilon);
  torch::Tensor gradient;
  while (!probed.run().done()) {
    const torch::Tensor part = probed.step([&](auto& shifted) {
      while (shifted.advance()) {
      }
      return detail::sample_losses(shifted.x, teacher, loss);
    });
    if (part.defined()) gradient = gradient.defined() ? gradient + part : part;
  }
  return detail::loss_with_gradient(probed.run().x, teacher, loss, gradient);
}

}  // namespace fewstep
