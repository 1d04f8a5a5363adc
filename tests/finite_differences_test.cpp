// Training by finite differences: its gradients against automatic differentiation, its cost, and denoisers without
// derivatives.
#include "support/catch.hpp"
#include "support/message.hpp"
#include "support/tensors.hpp"
#include "support/worst.hpp"

#include <fewstep/any_solver.hpp>
#include <fewstep/fitting/tabulate.hpp>
#include <fewstep/fitting/teacher.hpp>
#include <fewstep/seeds.hpp>
#include <fewstep/solvers/corrected_table.hpp>
#include <fewstep/torch.hpp>
#include <fewstep/torch/amed_predictor.hpp>
#include <fewstep/torch/finite_differences.hpp>
#include <fewstep/torch/probed_predictor.hpp>
#include <fewstep/torch/training.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace fewstep::finite_differences_test {

using test::message_of;
using test::tensor;
using torch::Tensor;

namespace {

/// A student with a probe in its predictor, and the run in which it is compared.
struct Probed {
  std::string label;
  std::function<AnySolver<Tensor>(const ProbedPredictor<TensorAmedPredictor>&)> plug;
  Schedule schedule = karras({.steps = 3});
  Options options = {.analytic_first_step = true};
};
std::vector<Probed> probed_students() {
  const Table table = tabulate(Ipndm{.order = 3}, karras({.steps = 6}));
  return {{"plugged iPNDM", [](const auto& p) { return Amed{Ipndm{.order = 3}, p}; }},
          {"plugged iPNDM without the analytic slope in its history",
           [](const auto& p) { return Amed{Ipndm{.order = 3}, p}; },
           karras({.steps = 3}),
           {.analytic_first_step = true, .analytic_in_history = false}},
          {"AmedSolver", [](const auto& p) { return AmedSolver{p}; }},
          {"DpmSolver2", [](const auto& p) { return DpmSolver2{p}; }, karras({.steps = 3}), {}},
          {"table", [=](const auto& p) { return corrected_table(table, p); }, every_second_level(table)},
          {"two predictors", [](const auto& p) { return Amed{Amed{Ipndm{.order = 2}, p}, p}; }}};
}

/// An exact denoiser whose denoised images are the features.
auto with_features(const TensorMixtureDenoiser& exact) {
  return [&exact](const Tensor& x, const Tensor& sigma) {
    const Tensor denoised = exact(x, sigma);
    return std::pair(denoised, denoised);
  };
}

/// A loss and the gradients of all parameters.
struct LossAndGradient {
  double loss;
  Tensor gradient;
};
LossAndGradient differentiated(const Tensor& loss, const TensorAmedPredictor& predictor) {
  std::vector<Tensor> parts;
  for (Tensor p : predictor.parameters()) p.mutable_grad() = torch::zeros_like(p);
  loss.backward();
  for (const Tensor& p : predictor.parameters()) parts.push_back(p.grad().flatten());
  return {loss.item<double>(), torch::cat(parts).to(torch::kFloat64)};
}

/// The largest difference between gradients, relative to the largest gradient.
double gradient_error(const std::vector<LossAndGradient>& finite, const std::vector<LossAndGradient>& automatic) {
  REQUIRE(finite.size() == automatic.size());
  double error = 0;
  for (std::size_t i = 0; i < finite.size(); ++i) {
    CHECK(finite[i].loss == automatic[i].loss);
    const double largest = automatic[i].gradient.abs().max().item<double>();
    CHECK(largest > 1e-3);
    error = test::worst(error, test::distance(finite[i].gradient, automatic[i].gradient) / largest);
  }
  return error;
}

/// gradient_error() of greedy passes with both restarts, and of two losses end to end.
double gradient_error(const Probed& student, const AmedNetwork& network, torch::Dtype type,
                      const FiniteDifferences& differences) {
  const TensorMixtureDenoiser exact(test::mixture());
  const auto denoise = with_features(exact);
  const ProbedPredictor probed{TensorAmedPredictor(network, type), PredictorProbe()};
  for (Tensor& p : probed.predictor.parameters()) p.requires_grad_();
  const AnySolver<Tensor> solver = student.plug(probed);
  const auto& [label, plug, schedule, options] = student;
  const Tensor x = (tensor(noise({1, 2, 3}, 4)) * 80).to(type);
  const std::size_t stride = 4;
  const auto teacher = record_teacher(Heun{}, denoise, karras({.steps = static_cast<int>(stride * schedule.steps())}),
                                      x, {.stride = stride})
                           .states;
  double error = 0;
  for (const Restart restart : {Restart::student, Restart::teacher}) {
    std::vector<LossAndGradient> automatic, finite;
    const auto into = [&](auto& all) {
      return [&](const GreedyStep& step) { all.push_back(differentiated(step.loss, probed.predictor)); };
    };
    greedy_pass(solver, denoise, schedule, options, teacher, restart, into(automatic));
    finite_greedy_pass(solver, denoise, schedule, options, teacher, restart, into(finite), probed.probe, differences);
    error = test::worst(error, gradient_error(finite, automatic));
  }
  for (const EndLoss& loss : {EndLoss{}, EndLoss{.huber = 0.05, .shown = 1}})
    error = test::worst(
        error,
        gradient_error({differentiated(finite_end_to_end_loss(solver, denoise, schedule, options, x, teacher.back(),
                                                              probed.probe, loss, differences),
                                       probed.predictor)},
                       {differentiated(end_to_end_loss(solver, denoise, schedule, options, x, teacher.back(), loss),
                                       probed.predictor)}));
  return error;
}

/// One value of each output for all samples and for `steps` steps; later ones keep the last prediction.
struct Learned {
  Tensor ratio, sigma_scale;
  std::size_t steps = 1'000;
  void operator()(const Step<Tensor>& n, const Tensor*, Prediction<Tensor>& out) const {
    if (n.index >= steps) return;
    out.ratio = Level<Tensor>(ratio);
    out.sigma_scale = Level<Tensor>(sigma_scale);
  }
};
Tensor value(double v) { return torch::full({1}, v, torch::kFloat64).set_requires_grad(true); }

}  // namespace

TEST_CASE("finite differences give the losses of automatic differentiation, and its gradients of all parameters") {
  const AmedNetwork network = initial_amed_network(4, 0.1, 0.1, 11);
  for (const Probed& student : probed_students()) {
    INFO(student.label);
    CHECK(gradient_error(student, network, torch::kFloat64, {.epsilon = 1e-4}) < 1e-4);
    CHECK(gradient_error(student, network, torch::kFloat64, {}) < 2e-3);
    CHECK(gradient_error(student, network, torch::kFloat32, {}) < 5e-3);
  }
}

TEST_CASE("losses per sample are sums in float64") {
  const Tensor x = torch::rand({2, 3, 1'000}), y = torch::rand({2, 3, 1'000});
  const Tensor squares = (x.to(torch::kFloat64) - y.to(torch::kFloat64)).square();
  CHECK(test::distance(detail::sample_losses(x, y, {}), squares.sum({1, 2})) < 1e-10);
}

TEST_CASE("shifted ratios stay between 0 and 1 and shifted scales positive, also for one value of the whole batch") {
  const auto check = [&](double ratio, double ratio_shift, double scale, double scale_shift) {
    const ProbedPredictor probed{Learned{value(ratio), value(scale)}, PredictorProbe()};
    std::vector<double> levels, expected{4};
    const auto denoise = [&](const Tensor& x, const Tensor& sigma) {
      levels.push_back(sigma.max().item<double>());
      return x / (1 + sigma.reshape({-1, 1}).square());
    };
    const std::vector<Tensor> teacher(2, torch::ones({3, 2}, torch::kFloat64));
    finite_greedy_pass(AmedSolver{probed}, denoise, Schedule({4, 1}), {}, teacher, Restart::student,
                       [](const GreedyStep& step) { step.loss.backward(); }, probed.probe, {.epsilon = 0.1});
    for (const auto& [r, c] :
         {std::pair{ratio, scale}, std::pair{ratio + ratio_shift, scale}, std::pair{ratio - ratio_shift, scale},
          std::pair{ratio, scale + scale_shift}, std::pair{ratio, scale - scale_shift}})
      expected.push_back(c * std::pow(4, 1 - r));
    REQUIRE(levels.size() == expected.size());
    for (std::size_t i = 0; i < levels.size(); ++i) CHECK(levels[i] == Approx(expected[i]).epsilon(1e-12));
    CHECK(std::abs(probed.predictor.ratio.grad().item<double>()) > 1e-3);
    CHECK(std::abs(probed.predictor.sigma_scale.grad().item<double>()) > 1e-3);
  };
  check(0.5, 0.1, 1, 0.1);
  check(0.02, 0.01, 0.1, 0.05);
  check(0.98, 0.01, 1.5, 0.1);
}

TEST_CASE("a prediction that later steps keep has the gradient of all of them") {
  const TensorMixtureDenoiser denoise(test::mixture());
  const ProbedPredictor probed{Learned{value(0.4), value(0.9), 1}, PredictorProbe()};
  const AmedSolver student{probed};
  const Tensor x = tensor(noise({1}, 4)) * 80, teacher = torch::zeros_like(x);
  const Tensor ratio = probed.predictor.ratio, sigma_scale = probed.predictor.sigma_scale;
  const auto gradients = [&](const Tensor& loss) {
    for (Tensor p : {ratio, sigma_scale}) p.mutable_grad() = Tensor();
    loss.backward();
    return torch::cat({ratio.grad(), sigma_scale.grad()});
  };
  const Tensor automatic = gradients(end_to_end_loss(student, denoise, karras({.steps = 3}), {}, x, teacher));
  const Tensor finite =
      gradients(finite_end_to_end_loss(student, denoise, karras({.steps = 3}), {}, x, teacher, probed.probe));
  CHECK(automatic.abs().min().item<double>() > 1);
  CHECK(test::distance(finite, automatic) < 1e-3);
}

TEST_CASE("training by finite differences takes the documented number of evaluations") {
  const TensorMixtureDenoiser exact(test::mixture());
  int count = 0;
  const auto denoise = [&](const Tensor& x, const Tensor& sigma) {
    ++count;
    const Tensor denoised = exact(x, sigma);
    return std::pair(denoised, denoised);
  };
  const Tensor x = tensor(noise({1, 2}, 4)) * 80;
  const std::vector<Tensor> teacher(4, torch::zeros_like(x));
  /// Evaluations of a greedy pass and of a loss end to end.
  const auto counted = [&](const AmedNetwork& network, const Options& options, bool gradients,
                           bool plugged) -> std::pair<int, int> {
    const ProbedPredictor probed{TensorAmedPredictor(network, torch::kFloat64), PredictorProbe()};
    for (Tensor& p : probed.predictor.parameters()) p.requires_grad_();
    const AnySolver<Tensor> student = plugged ? AnySolver<Tensor>(Amed{Ipndm{.order = 3}, probed}) : AmedSolver{probed};
    const torch::AutoGradMode mode(gradients);
    count = 0;
    finite_greedy_pass(
        student, denoise, karras({.steps = 3}), options, teacher, Restart::student,
        [&](const GreedyStep& step) {
          CHECK(step.loss.requires_grad() == gradients);
          CHECK_FALSE(probed.probe.shifted());
        },
        probed.probe);
    const int greedy = std::exchange(count, 0);
    const Tensor loss = finite_end_to_end_loss(student, denoise, karras({.steps = 3}), options, x, x, probed.probe);
    CHECK(loss.requires_grad() == gradients);
    CHECK(probed.probe.state()->recorded.empty());
    return {greedy, count};
  };
  using Counts = std::pair<int, int>;
  AmedNetwork all = initial_amed_network(4, 0.1, 0.1, 1), scales = all;
  scales.ratio.reset();
  for (const bool plugged : {true, false}) {
    CHECK(counted(initial_amed_network(4, 0, 0, 1), {}, true, plugged) == Counts{6 + 3 * 2, 6 + 18});
    CHECK(counted(initial_amed_network(4, 0.1, 0, 1), {}, true, plugged) == Counts{6 + 3 * 2, 6 + 18 + 12});
    CHECK(counted(all, {}, true, plugged) == Counts{6 + 3 * 4, 6 + 18 + 12 + 18});
    CHECK(counted(scales, {}, true, plugged) == Counts{6 + 3 * 2, 6 + 12 + 18});
    CHECK(counted(all, {.analytic_first_step = true}, true, plugged) == Counts{5 + 3 * 4, 5 + 18 + 12 + 18});
    CHECK(counted(all, {}, false, plugged) == Counts{6, 6});
  }
}

TEST_CASE("a predictor of a denoiser without derivatives is trained") {
  /// Exact for data at +-1 in each coordinate with deviation 0.3. Writes numbers one by one, into inference tensors.
  const auto denoise = [](const Tensor& x, const Tensor& sigma) {
    const c10::InferenceMode no_gradients;
    const Tensor levels = sigma.expand({x.size(0)}).contiguous();
    Tensor denoised = torch::empty_like(x);
    const auto in = x.accessor<double, 2>();
    auto out = denoised.accessor<double, 2>();
    for (std::int64_t b = 0; b < x.size(0); ++b) {
      const double s = levels.data_ptr<double>()[b], v = 0.09 + s * s;
      for (std::int64_t i = 0; i < x.size(1); ++i) out[b][i] = (0.09 * in[b][i] + s * s * std::tanh(in[b][i] / v)) / v;
    }
    return std::pair(denoised, denoised);
  };
  const Schedule schedule = karras({.steps = 3});
  const auto teacher = [&](std::uint64_t first) {
    const Tensor x = tensor(noise(seed_range(first, 32), 4)) * 80;
    return record_teacher(Heun{}, denoise, karras({.steps = 60}), x, {.stride = 20}).states;
  };
  const auto held_out = teacher(1'000'000);
  for (const bool greedy : {true, false}) {
    const ProbedPredictor probed{TensorAmedPredictor(initial_amed_network(4, 0.01, 0.1, 1), torch::kFloat64),
                                 PredictorProbe()};
    PublishedAdam adam(probed.predictor.parameters());
    const AnySolver<Tensor> student = AmedSolver{probed};
    const auto loss = [&](const std::vector<Tensor>& states) {
      return finite_end_to_end_loss(student, denoise, schedule, {}, states[0], states.back(), probed.probe);
    };
    const auto distance = [&] {
      const torch::NoGradGuard no_grad;
      return loss(held_out).item<double>();
    };
    const double before = distance();
    for (std::uint64_t k = 0; k < 20; ++k) {
      const auto states = teacher(32 * k);
      if (greedy)
        finite_greedy_pass(
            student, denoise, schedule, {}, states, Restart::teacher,
            [&](const GreedyStep& step) { adam.step(step.loss); }, probed.probe);
      else adam.step(loss(states));
    }
    INFO((greedy ? "greedy: " : "end to end: ") << before << " to " << distance());
    CHECK(distance() < 0.7 * before);
  }
}

TEST_CASE("an epsilon out of range, a probe of another predictor and too few teacher states are rejected") {
  const TensorMixtureDenoiser denoise(test::mixture());
  const ProbedPredictor probed{TensorAmedPredictor(initial_amed_network(4, 0, 0, 1), torch::kFloat64),
                               PredictorProbe()};
  const AnySolver<Tensor> student = AmedSolver{probed};
  const Tensor x = torch::ones({1, 4}, torch::kFloat64);
  const auto message = [&](double epsilon, const PredictorProbe& probe, std::size_t states) {
    const std::string greedy = message_of([&] {
      finite_greedy_pass(student, denoise, karras({.steps = 2}), {}, std::vector<Tensor>(states, x), Restart::student,
                         [](const GreedyStep&) {}, probe, {.epsilon = epsilon});
    });
    if (states == 3)
      CHECK(greedy == message_of([&] {
              finite_end_to_end_loss(student, denoise, karras({.steps = 2}), {}, x, x, probe, {}, {.epsilon = epsilon});
            }));
    CHECK_FALSE(probe.shifted());
    return greedy;
  };
  CHECK(message(0.1, probed.probe, 3) == "nothing was thrown");
  CHECK(message(0, probed.probe, 3) == "FiniteDifferences::epsilon is 0; allowed: 1e-6 to 0.1");
  CHECK(message(0.2, probed.probe, 3) == "FiniteDifferences::epsilon is 0.2; allowed: 1e-6 to 0.1");
  CHECK_THAT(message(std::numeric_limits<double>::quiet_NaN(), probed.probe, 3),
             Catch::Contains("FiniteDifferences::epsilon is "));
  CHECK(message(1e-3, PredictorProbe(), 3) ==
        "the probe is without predictions in a step; allowed: that of the student's ProbedPredictor");
  CHECK_THAT(message(1e-3, probed.probe, 2), Catch::Contains("the number of teacher states is 2"));
}

}  // namespace fewstep::finite_differences_test
