// AMED for a model of your own in LibTorch: with guidance and classes, trained end to end from what autotune found.
#include <fewstep/fitting/autotune.hpp>
#include <fewstep/fitting/calibrate.hpp>
#include <fewstep/fitting/in_slopes.hpp>
#include <fewstep/torch.hpp>
#include <fewstep/torch/amed_predictor.hpp>
#include <fewstep/torch/training.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <utility>
#include <vector>

using namespace fewstep;
using torch::Tensor;

constexpr std::int64_t batch = 40, size = 8, classes = 4;

/// Your code: D(x, sigma) of points around the `centres` of their class. Classes take turns.
Tensor denoised(const Tensor& x, const Tensor& sigma, const Tensor& centres) {
  const Tensor own = centres.index_select(0, torch::arange(x.size(0)) % centres.size(0)).to(x.dtype());
  const Tensor square = sigma.to(x.dtype()).view({-1, 1}).square(), spread = square + 0.04;
  const Tensor nearness = (x.unsqueeze(1) - own).square().sum(2) / (-2 * spread);
  return (0.04 * x + square * (torch::softmax(nearness, 1).unsqueeze(2) * own).sum(1)) / spread;
}

int main() {
  torch::set_num_threads(1);  // tensors of a few numbers
  const Tensor centres = tensor_noise(seed_range(0, 2 * classes), {size}).view({classes, 2, size});
  const auto conditional = [&](const Tensor& x, const Tensor& sigma) {
    const Tensor labels = torch::eye(classes).repeat({x.size(0) / classes, 1});  // features for the predictor
    return std::pair(denoised(x, sigma, centres), labels);
  };
  const auto unconditional = [&](const Tensor& x, const Tensor& sigma) {
    return denoised(x, sigma, centres.view({1, 2 * classes, size}));
  };
  const auto denoise = guided(conditional, unconditional, {.scale = 2});
  const auto unit_noise = [](std::size_t b) { return tensor_noise(seed_range(1'000 + batch * b, batch), {size}); };

  // The best classic solver with an even number of steps, calibrated: the predictor corrects every second level.
  const Autotuned found = autotune<Tensor>(denoise, unit_noise, {.evaluations = 5, .calls = 3'000, .branches = false});
  const auto even = [](const Racer& racer) { return racer.table.rows.size() % 2 == 0; };
  const Racer& start = *std::find_if(found.leaders.begin(), found.leaders.end(), even);
  const Options options{.analytic_first_step = start.analytic_first_step};
  std::vector<Tensor> fitted;
  for (std::size_t b = 50; b < 58; ++b) fitted.push_back(unit_noise(b));
  const Table table = calibrate(denoise, in_slopes(start.table), fitted,
                                {.iterations = 6, .analytic_first_step = start.analytic_first_step})
                          .table;

  AmedNetwork network = initial_amed_network(classes, 0.05, 0.05, 0);
  for (AmedNetwork::Layer* head : {&*network.ratio, &*network.direction_scale, &*network.sigma_scale})
    std::fill(head->weight.begin(), head->weight.end(), 0.);  // no correction at first
  const TensorAmedPredictor predictor(network);
  const auto student = corrected_table(table, predictor);
  const Schedule schedule = every_second_level(table);
  const auto teacher = [&](const Tensor& z) {
    return sample(Heun{}, denoise, karras({.steps = 20, .sigma_max = schedule[0]}), z).x;
  };
  constexpr int batches = 600;
  PublishedAdam adam(predictor.parameters());
  for (int b = 0; b < batches; ++b) {
    const Tensor z = unit_noise(100 + static_cast<std::size_t>(b)), x = schedule[0] * z;
    adam.set_learning_rate(4e-3 * (batches - b) / batches);
    adam.step(end_to_end_loss(student, denoise, schedule, options, x, teacher(z), {.huber = 0.02}));
  }

  const Tensor z = tensor_noise(seed_range(0, 400), {size}), exact = teacher(z);
  const auto report = [&](const char* name, const Tensor& x) {
    std::printf("%-24s %.3f\n", name, (x - exact).square().mean(1).sqrt().median().item<double>());
  };
  std::printf("median distance at 5 evaluations, %d of the network\n",
              sample(student, denoise, schedule, z, options).total_evaluations);
  report("best classic solver", sample(found.leaders[0].table, denoise, found.leaders[0].table.schedule(), z,
                                       {.analytic_first_step = found.leaders[0].analytic_first_step})
                                    .x);
  report("calibrated", sample(table, denoise, table.schedule(), z, options).x);
  report("with a trained predictor", sample(student, denoise, schedule, z, options).x);
}
