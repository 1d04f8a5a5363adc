// The time predictor: one file for both backends, its laws inside solvers, gradients, training.
#include "support/catch.hpp"
#include "support/tensors.hpp"

#include <fewstep/io/amed_file.hpp>
#include <fewstep/laws/solver.hpp>
#include <fewstep/tabulate.hpp>
#include <fewstep/torch.hpp>
#include <fewstep/torch/amed_predictor.hpp>
#include <fewstep/torch/laws.hpp>
#include <fewstep/torch/training.hpp>

#include <filesystem>

using namespace fewstep;
using test::Array;
using test::message_of;
using test::tensor;
using torch::Tensor;
namespace fs = std::filesystem;

namespace {

struct TemporaryFile {
  fs::path path = fs::path(FEWSTEP_BINARY_DIR) / "amed_test.safetensors";
  ~TemporaryFile() { fs::remove(path); }
};

}  // namespace

TEST_CASE("a file holds all there is to know, to the bit") {
  const TemporaryFile file;
  io::AmedFile written;
  written.network = initial_amed_network(64, 0.01, 0.2, 3);
  written.solver = "dpmpp";
  written.schedule = "time_uniform";
  written.solver_settings.order = 3;
  written.solver_settings.variant = UniB::bh1;
  written.solver_settings.form = Form::noise;
  written.solver_settings.lower_order_final = false;
  written.schedule_settings.steps = 4;
  written.schedule_settings.rho = 2;
  written.schedule_settings.sigma_min = 0.01;
  written.schedule_settings.sigma_max = 50;
  written.schedule_settings.end = End::zero;
  written.analytic_first_step = true;
  written.data_shape = {1, 28, 28};
  written.training = {{"command", "by hand"}};
  io::write_amed(file.path, written);
  const io::AmedFile read = io::read_amed(file.path);
  CHECK(read.network.encode_0.weight == written.network.encode_0.weight);
  CHECK(read.network.clock->bias == written.network.clock->bias);
  CHECK(read.network.direction_range == 0.01);
  CHECK(read.network.clock_range == 0.2);
  CHECK(read.solver == "dpmpp");
  CHECK(read.solver_settings.order == 3);
  CHECK(read.solver_settings.form == Form::noise);
  CHECK(read.solver_settings.lower_order_final == false);
  CHECK(read.solver_settings.variant == UniB::bh1);
  CHECK(make_schedule(read.schedule, read.schedule_settings).levels() == make_schedule("time_uniform", written.schedule_settings).levels());
  CHECK(read.analytic_first_step);
  CHECK(read.data_shape == written.data_shape);
  CHECK(read.training == written.training);

  CHECK(!read.table);
  written.table = tabulate(Ipndm{.order = 3}, karras({.steps = 4}));
  io::write_amed(file.path, written);
  CHECK(io::read_amed(file.path).table->levels == written.table->levels);
  CHECK(io::read_amed(file.path).table->rows[3].weights == written.table->rows[3].weights);

  io::Safetensors raw = io::read_safetensors(file.path);
  raw.tensors.erase("fc_r.bias");
  io::write_safetensors(file.path, raw);
  CHECK_THAT(message_of([&] { io::read_amed(file.path); }), Catch::Matchers::Contains("tensor fc_r.bias is missing"));
  raw.tensors["fc_r.bias"] = raw.tensors["enc_layer1.bias"];
  io::write_safetensors(file.path, raw);
  CHECK_THAT(message_of([&] { io::read_amed(file.path); }), Catch::Matchers::Contains("fc_r's outputs is 4; allowed: 1"));
  raw.metadata["settings"] = "{}";
  io::write_safetensors(file.path, raw);
  CHECK_THAT(message_of([&] { io::read_amed(file.path); }), Catch::Matchers::Contains("amed_test.safetensors: "));
  raw.metadata.erase("format");
  io::write_safetensors(file.path, raw);
  CHECK_THAT(message_of([&] { io::read_amed(file.path); }), Catch::Matchers::Contains("not a time predictor"));
}

TEST_CASE("both backends predict the same, with every set of heads, with and without features") {
  const Array features = noise({1, 2, 3}, 16);
  const Tensor same = tensor(features);
  for (const double scale_dir : {0., 0.01})
    for (const double scale_time : {0., 0.2}) {
      const AmedNetwork network = initial_amed_network(16, scale_dir, scale_time, 5);
      const AmedPredictor eigen(network);
      const TensorAmedPredictor tensors(network, torch::kFloat64);
      for (const bool given : {true, false}) {
        const Time<Array> from(9.7), to(0.47);
        const Time<Tensor> tensor_from(9.7), tensor_to(0.47);
        Prediction<Array> a;
        Prediction<Tensor> b;
        eigen(Step<Array>{from, to, 0, 1}, given ? &features : nullptr, a);
        tensors(Step<Tensor>{tensor_from, tensor_to, 0, 1}, given ? &same : nullptr, b);
        for (const auto& [x, y] : {std::pair{&a.ratio, &b.ratio}, std::pair{&a.direction, &b.direction}, std::pair{&a.clock, &b.clock}})
          for (std::int64_t k = 0; k < 3; ++k) {
            const Tensor each = algebra<Tensor>::native(*y, same).expand({3});
            CHECK(std::abs((*x)[k] - each[k].item<double>()) < 1e-14);
          }
      }
    }
}

TEST_CASE("a saturated head leaves levels apart") {
  AmedNetwork network = initial_amed_network(4, 0, 0, 1);
  network.ratio->bias[0] = 1e6;
  CHECK(sample(Amed{Dpmpp{.order = 3}, AmedPredictor(network)}, MixtureDenoiser(test::mixture()), karras({.steps = 4}), noise({1}, 4)).status == Status::complete);
  const auto tensors = sample(Amed{Dpmpp{.order = 3}, TensorAmedPredictor(network)}, TensorMixtureDenoiser(test::mixture()), karras({.steps = 4}),
                              tensor(noise({1}, 4)));
  CHECK(tensors.status == Status::complete);
}

TEST_CASE("laws of every solver with the predictor in it") {
  const TensorAmedPredictor predictor(initial_amed_network(4, 0, 0, 7), torch::kFloat64);
  for (const auto& [label, solver] : test::configurations<Tensor>())
    for (const auto& [law, failure] : laws::check<Tensor>(AnySolver<Tensor>(Amed{solver, predictor}))) {
      INFO(label << ": " << law);
      if (law != "exactness") CHECK(failure == "");  // ratios far from 1/2 bring levels together, where weights cancel
    }
}

TEST_CASE("gradients of every parameter through plugged steps equal central differences") {
  const TensorMixtureDenoiser exact(test::mixture());
  const auto denoise = [&](const Tensor& x, const Tensor& sigma) { return std::pair(exact(x, sigma), x / 80); };
  const Tensor x = tensor(noise({1, 2}, 4)) * 80;
  const Table table = tabulate(Ipndm{.order = 3}, karras({.steps = 6}));
  for (const std::string name : {"amed", "dpm2", "ipndm", "dpmpp", "table"}) {
    INFO(name);
    const TensorAmedPredictor predictor(initial_amed_network(4, 0.1, 0.1, 11), torch::kFloat64);
    const auto loss = [&] {
      const AnySolver<Tensor> student = name == "table" ? AnySolver<Tensor>(over_table(table, predictor)) : make_solver<Tensor>(name, {}, predictor);
      return end_to_end_loss(student, denoise, name == "table" ? every_second_level(table) : karras({.steps = 3}), {}, x, torch::zeros_like(x));
    };
    for (Tensor p : predictor.parameters()) p.requires_grad_();
    loss().backward();
    const torch::NoGradGuard no_grad;
    for (Tensor p : predictor.parameters()) {
      const Tensor flat = p.view(-1);
      const double slope = p.grad().view(-1)[0].item<double>(), old = flat[0].item<double>();
      flat[0] = old + 1e-5;
      const double above = loss().item<double>();
      flat[0] = old - 1e-5;
      const double below = loss().item<double>();
      flat[0] = old;
      CHECK(slope == Approx((above - below) / 2e-5).epsilon(1e-4).margin(1e-7));
    }
  }
}

TEST_CASE("training brings the student to its teacher") {
  const TensorMixtureDenoiser exact(test::mixture());
  const auto denoise = [&](const Tensor& x, const Tensor& sigma) { return std::pair(exact(x, sigma), x.detach() / 80); };
  const Schedule schedule = karras({.steps = 3});
  const auto batch = [](std::uint64_t first) {
    std::vector<std::uint64_t> seeds;
    for (std::uint64_t k = 0; k < 32; ++k) seeds.push_back(first + k);
    return tensor(noise(seeds, 4)) * 80;
  };
  for (const bool greedy : {true, false}) {
    const TensorAmedPredictor predictor(initial_amed_network(4, 0.01, 0, 1), torch::kFloat64);
    PublishedAdam adam(predictor.parameters());
    const AmedSolver student{predictor};
    const auto distance = [&] {
      const torch::NoGradGuard no_grad;
      const Tensor x = batch(1'000'000);
      const auto teacher = teacher_states(Heun{}, denoise, karras({.steps = 60}), 20, x);
      return end_to_end_loss(student, denoise, schedule, {}, x, teacher.back()).item<double>();
    };
    const double before = distance();
    for (std::uint64_t k = 0; k < 30; ++k) {
      const Tensor x = batch(32 * k);
      const auto teacher = teacher_states(Heun{}, denoise, karras({.steps = 60}), 20, x);
      if (greedy)
        greedy_pass(student, denoise, schedule, {}, x, teacher, Restart::teacher, [&](const GreedyStep& step) { adam.step(step.loss); });
      else
        adam.step(end_to_end_loss(student, denoise, schedule, {}, x, teacher.back()));
    }
    INFO((greedy ? "greedy: " : "end to end: ") << before << " to " << distance());
    CHECK(distance() < 0.7 * before);
  }
  CHECK_THROWS_WITH(teacher_states(Heun{}, denoise, schedule, 2, batch(0)), Catch::Matchers::Contains("stride is 2; allowed: divisors"));
}
