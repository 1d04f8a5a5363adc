// Training a time predictor against a teacher of more steps (Zhou et al. 2024, arXiv 2312.00094; diff-sampler,
// training/loss.py).
#pragma once

#include "../fitting/teacher.hpp"
#include "../plugin/amed_network.hpp"
#include "../run.hpp"
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

/// What a student's step starts from: what its last step gave, or the teacher's state there. The published code takes
/// the teacher's for students of one step, which remember nothing.
enum class Restart { student, teacher };

/// One step of a greedy pass: its index, where it started and ended, and its loss, sum of squares over the batch size.
struct GreedyStep {
  std::size_t index;
  const torch::Tensor &before, &after, &loss;
};

/// One pass of the published loop over one batch: after each step of the student, the loss to the teacher's state there
/// goes to `update`, which calls backward and moves the parameters; no gradient reaches an earlier step.
/// @param student  a solver whose predictor's parameters require gradients
/// @param teacher  the teacher's states: the start, then one for each step of the schedule
template <class S, class D, class Update>
void greedy_pass(const S& student, D&& denoise, const Schedule& schedule, const Options& options,
                 const std::vector<torch::Tensor>& teacher, Restart restart, Update&& update) {
  require(teacher.size() == schedule.steps() + 1, "the number of teacher states", teacher.size(),
          std::to_string(schedule.steps() + 1) + ", the start and one per step");
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

/// How the ends of two trajectories are compared.
struct EndLoss {
  /// Differences beyond it count linearly (pseudo-Huber, Charbonnier et al. 1997), so that noise left all over an image
  /// is not outweighed by an edge in another place. 0: squares throughout.
  double huber = 0;
  /// Numbers beyond -shown and shown count as these, as in an image that is looked at. 0: as they are.
  double shown = 0;
};

/// The loss of a whole trajectory at its end, with gradients through every step of it: the sum of squares over the
/// batch size.
template <class S, class D>
torch::Tensor end_to_end_loss(const S& student, D&& denoise, const Schedule& schedule, const Options& options,
                              const torch::Tensor& x, const torch::Tensor& teacher, const EndLoss& loss = {}) {
  Run run(student, denoise, schedule, x, options);
  while (run.advance()) {
  }
  const auto seen = [&](const torch::Tensor& end) { return loss.shown > 0 ? end.clamp(-loss.shown, loss.shown) : end; };
  const torch::Tensor squares = (seen(run.x) - seen(teacher)).square();
  const double h = loss.huber;
  return (h > 0 ? 2 * h * h * ((squares / (h * h) + 1).sqrt() - 1) : squares).sum() / static_cast<double>(x.size(0));
}

/// A predictor before training, as the published code starts one: ratios near 1/2, scales near 1. It has a head for
/// ratios; one whose `ratio` is reset leaves every ratio at 1/2 (AmedNetwork), and trains what other heads it has.
/// @param scale_dir, scale_time  ranges of direction_scale and sigma_scale; 0: without that head
inline AmedNetwork initial_amed_network(std::int64_t features, double scale_dir, double scale_time,
                                        std::uint64_t seed) {
  constexpr std::int64_t hidden = 128, code = 4, channels = 8;
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
  for (int j = 0; j < channels / 2; ++j) n.frequencies.push_back(std::pow(1e-4, j / (channels / 2 - 1.)));
  n.ratio = normal(1, code + 2 * channels);
  if (scale_dir > 0) n.direction_scale = normal(1, code + 2 * channels);
  if (scale_time > 0) n.sigma_scale = normal(1, code + 2 * channels);
  n.direction_scale_range = scale_dir;
  n.sigma_scale_range = scale_time;
  return n;
}

/// Adam without weight decay, gradients with NaN as 0 and infinities as +-1e5: as the published code trains.
class PublishedAdam {
 public:
  explicit PublishedAdam(std::vector<torch::Tensor> parameters, double learning_rate = 5e-3)
      : parameters_(std::move(parameters)), adam_(parameters_, torch::optim::AdamOptions(learning_rate)) {
    for (torch::Tensor& p : parameters_) p.requires_grad_();
  }

  void step(const torch::Tensor& loss) {
    adam_.zero_grad();
    loss.backward();
    for (torch::Tensor& p : parameters_)
      if (p.grad().defined()) p.mutable_grad() = p.grad().nan_to_num(0, 1e5, -1e5);
    adam_.step();
  }
  torch::optim::Adam& optimizer() { return adam_; }

 private:
  std::vector<torch::Tensor> parameters_;
  torch::optim::Adam adam_;
};

}  // namespace fewstep
