// Training of a predictor against a teacher with more steps.
// Source: Zhou et al. 2024, arXiv 2312.00094; diff-sampler, training/loss.py.
#pragma once

#include "../errors.hpp"
#include "../plugin/amed_network.hpp"
#include "../run.hpp"
#include "../schedule.hpp"
#include "algebra.hpp"

#include <torch/optim/adam.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace fewstep {

/// The state from which each step of a student starts in training: the student's own, or the teacher's. The published
/// code uses the teacher's for one-step solvers and the student's for multistep ones, whose history must fit the state.
enum class Restart { student, teacher };

/// One step of greedy_pass(). References are valid only during the call.
struct GreedyStep {
  std::size_t index;                 ///< of the step, from 0
  const torch::Tensor& left_state;   ///< the student's state at the left end
  const torch::Tensor& right_state;  ///< the student's state at the right end
  const torch::Tensor&
      loss;  ///< [], sum of squares of right_state minus the teacher's state, divided by the batch size
};

namespace detail {
inline void require_states(const std::vector<torch::Tensor>& teacher, const Schedule& schedule) {
  require(teacher.size() == schedule.steps() + 1, "the number of teacher states", teacher.size(),
          std::to_string(schedule.steps() + 1) + ", the start and one per step");
}
}  // namespace detail

/// The published training loop over one batch. After each step of the student, `update` receives the loss relative to
/// the teacher's state; it should call backward() and update the parameters. Steps are trained one by one: no gradient
/// reaches an earlier step.
/// @param student   a solver whose predictor's parameters require gradients
/// @param denoise   any denoiser
/// @param schedule  the student's
/// @param options   of the student's run; `gradients` has no effect, since Run leaves them to the caller
/// @param teacher   the teacher's states at the levels of `schedule`: record_teacher(...).states
/// @param restart   the state from which each step starts
/// @param update    called with a GreedyStep after each step
/// @throws std::invalid_argument for another number of teacher states.
template <class S, class D, class Update>
void greedy_pass(const S& student, D&& denoise, const Schedule& schedule, const Options& options,
                 const std::vector<torch::Tensor>& teacher, Restart restart, Update&& update) {
  detail::require_states(teacher, schedule);
  Run run(student, denoise, schedule, teacher[0], options);
  const double batch = static_cast<double>(teacher[0].size(0));
  while (!run.done()) {
    const torch::Tensor before = run.x;
    run.advance();
    const torch::Tensor loss = (run.x - teacher[run.index()]).square().sum() / batch;
    update(GreedyStep{run.index() - 1, before, run.x, loss});
    run.detach();
    if (restart == Restart::teacher) run.x = teacher[run.index()];
  }
}

/// The distance by which end_to_end_loss() compares the ends of two trajectories.
struct EndLoss {
  /// Scale c of the pseudo-Huber loss 2 c^2 (sqrt(1 + d^2/c^2) - 1) of a difference d (Charbonnier et al. 1997), in the
  /// unit of the data. Differences above c count linearly, so that a displaced edge does not outweigh noise all over
  /// the image. 0: squares d^2.
  double huber = 0;
  /// Both ends are clamped to [-shown, shown] for the comparison, as when an image is displayed. 0: not clamped.
  double shown = 0;
};

namespace detail {

/// Returns the loss of each number of x, of x's shape.
inline torch::Tensor losses(const torch::Tensor& x, const torch::Tensor& teacher, const EndLoss& loss) {
  const auto shown = [&](const torch::Tensor& end) {
    return loss.shown > 0 ? end.clamp(-loss.shown, loss.shown) : end;
  };
  const torch::Tensor squares = (shown(x) - shown(teacher)).square();
  const double scale = loss.huber * loss.huber;
  return scale > 0 ? 2 * scale * ((squares / scale + 1).sqrt() - 1) : squares;
}

}  // namespace detail

/// Returns the loss at the end of a student's trajectory, with gradients through all of its steps: the sum over all
/// numbers divided by the batch size.
/// @param student   a solver whose predictor's parameters require gradients
/// @param denoise   any denoiser, differentiable
/// @param schedule  the student's
/// @param options   of the student's run; `gradients` has no effect, since Run leaves them to the caller
/// @param x         the batch at the schedule's first level
/// @param teacher   the teacher's last state, of x's shape
/// @param loss      the distance
/// @return a tensor [] with gradients
template <class S, class D>
torch::Tensor end_to_end_loss(const S& student, D&& denoise, const Schedule& schedule, const Options& options,
                              const torch::Tensor& x, const torch::Tensor& teacher, const EndLoss& loss = {}) {
  Run run(student, denoise, schedule, x, options);
  while (run.advance()) {
  }
  return detail::losses(run.x, teacher, loss).sum() / static_cast<double>(x.size(0));
}

/// Returns an untrained predictor with the published sizes and initialisation: ratios near 1/2, scales near 1. Reset
/// its `ratio` to keep all ratios at 1/2 and train only the other heads.
/// @param features               numbers per sample in a feature, 1 or more
/// @param scale_dir, scale_time  ranges of direction_scale and sigma_scale, in [0, 1); 0: without that head
/// @param seed                   of the initial weights
inline AmedNetwork initial_amed_network(std::int64_t features, double scale_dir, double scale_time,
                                        std::uint64_t seed) {
  constexpr std::int64_t hidden = 128, code = 4, channels = 8;
  constexpr double lowest_frequency = 1e-4;
  auto generator = at::detail::createCPUGenerator(seed);
  const auto layer = [](const torch::Tensor& weight) {
    const torch::Tensor w = weight.to(torch::kFloat64).contiguous();
    return AmedNetwork::Layer{{w.data_ptr<double>(), w.data_ptr<double>() + w.numel()},
                              std::vector<double>(static_cast<std::size_t>(w.size(0)))};
  };
  const auto normal = [&](std::int64_t out, std::int64_t in) {
    return layer(torch::randn({out, in}, generator, torch::kFloat64) / std::sqrt(static_cast<double>(in)));
  };
  AmedNetwork n;
  n.encode_0 = normal(hidden, features);
  n.encode_1 = normal(code, hidden);
  n.embed = layer((2 * torch::rand({channels, channels}, generator, torch::kFloat64) - 1) * std::sqrt(3. / channels));
  for (int j = 0; j < channels / 2; ++j) n.frequencies.push_back(std::pow(lowest_frequency, j / (channels / 2 - 1.)));
  n.ratio = normal(1, code + 2 * channels);
  if (scale_dir > 0) n.direction_scale = normal(1, code + 2 * channels);
  if (scale_time > 0) n.sigma_scale = normal(1, code + 2 * channels);
  n.direction_scale_range = scale_dir;
  n.sigma_scale_range = scale_time;
  return n;
}

/// Adam as in the published code: without weight decay; NaN in a gradient becomes 0, infinities become +-1e5.
class PublishedAdam {
 public:
  /// @param parameters     made to require gradients
  /// @param learning_rate  above 0
  explicit PublishedAdam(std::vector<torch::Tensor> parameters, double learning_rate = 5e-3)
      : parameters_(std::move(parameters)), adam_(parameters_, torch::optim::AdamOptions(learning_rate)) {
    for (torch::Tensor& p : parameters_) p.requires_grad_();
  }

  /// Computes the gradients of `loss` and updates the parameters.
  void step(const torch::Tensor& loss) {
    adam_.zero_grad();
    loss.backward();
    for (torch::Tensor& p : parameters_)
      if (p.grad().defined()) p.mutable_grad() = p.grad().nan_to_num(0, largest_gradient, -largest_gradient);
    adam_.step();
  }
  /// Sets the learning rate of further steps, above 0.
  void set_learning_rate(double rate) {
    for (auto& group : adam_.param_groups()) static_cast<torch::optim::AdamOptions&>(group.options()).lr(rate);
  }
  torch::optim::Adam& optimizer() { return adam_; }

 private:
  static constexpr double largest_gradient = 1e5;
  std::vector<torch::Tensor> parameters_;
  torch::optim::Adam adam_;
};

}  // namespace fewstep
