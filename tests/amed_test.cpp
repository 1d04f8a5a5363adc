// The time predictor on both backends: its file, laws of solvers with it, gradients, training, and train_amed.
#include "../examples/commands/support/image_denoiser.hpp"
#include "../examples/commands/support/noise_numbers.hpp"
#include "../examples/commands/support/predictor_file.hpp"
#include "support/command.hpp"
#include "support/laws.hpp"
#include "support/tensors.hpp"
#include "support/worst.hpp"

#include <fewstep/fitting/tabulate.hpp>
#include <fewstep/fitting/teacher.hpp>
#include <fewstep/io/amed_file.hpp>
#include <fewstep/laws/solver.hpp>
#include <fewstep/torch.hpp>
#include <fewstep/torch/amed_predictor.hpp>
#include <fewstep/torch/laws.hpp>
#include <fewstep/torch/training.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace fewstep::amed_test {

using test::Array;
using test::message_of;
using test::Scratch;
using test::tensor;
using torch::Tensor;
namespace fs = std::filesystem;

namespace {

const fs::path networks = fs::path(FEWSTEP_SOURCE_DIR) / "tests/golden/edm_networks",
               models = fs::path(FEWSTEP_SOURCE_DIR) / "examples/models";

struct TemporaryFile {
  fs::path path = fs::path(FEWSTEP_BINARY_DIR) / "amed_test.safetensors";
  ~TemporaryFile() { fs::remove(path); }
};

/// Networks with every combination of heads.
std::vector<AmedNetwork> every_set_of_heads(std::int64_t features) {
  std::vector<AmedNetwork> all;
  for (const double scale_dir : {0., 0.01})
    for (const double scale_time : {0., 0.2})
      for (const bool ratio : {true, false}) {
        all.push_back(initial_amed_network(features, scale_dir, scale_time, 5));
        if (!ratio) all.back().ratio.reset();
      }
  return all;
}

/// A predictor's output: rows ratio, direction scale and sigma scale, one column per sample.
Array predictions(const AmedPredictor& predict, const Array* features, Eigen::Index batch, double from = 9.7,
                  double to = 0.47) {
  const Level<Array> t(from), s(to);
  Prediction<Array> out;
  predict(Step<Array>{t, s, 0, 1}, features, out);
  Array all(3, batch);
  for (Eigen::Index b = 0; b < batch; ++b) all.col(b) << out.ratio[b], out.direction_scale[b], out.sigma_scale[b];
  return all;
}
Array predictions(const TensorAmedPredictor& predict, const Array* features, Eigen::Index batch, double from = 9.7,
                  double to = 0.47) {
  const Level<Tensor> t(from), s(to);
  Prediction<Tensor> out;
  const Tensor same = features ? tensor(*features) : torch::zeros({batch, 1}, torch::kFloat64);
  predict(Step<Tensor>{t, s, 0, 1}, features ? &same : nullptr, out);
  Array all(3, batch);
  Eigen::Index row = 0;
  for (const Level<Tensor>* time : {&out.ratio, &out.direction_scale, &out.sigma_scale}) {
    const Tensor each = algebra<Tensor>::native(*time, same).expand({batch});
    for (Eigen::Index b = 0; b < batch; ++b) all(row, b) = each[b].item<double>();
    ++row;
  }
  return all;
}

}  // namespace

TEST_CASE("a predictor's file is read as it was written, and malformed files are rejected") {
  const TemporaryFile file;
  io::AmedFile written;
  written.network = initial_amed_network(64, 0.01, 0.2, 3);
  written.solver = "dpmpp";
  written.schedule = "time_uniform";
  written.solver_settings.order = 3;
  written.solver_settings.variant = UniB::bh1;
  written.solver_settings.target = Target::slope;
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
  CHECK(read.network.sigma_scale->bias == written.network.sigma_scale->bias);
  CHECK(read.network.direction_scale_range == 0.01);
  CHECK(read.network.sigma_scale_range == 0.2);
  CHECK(read.solver == "dpmpp");
  CHECK(read.solver_settings.order == 3);
  CHECK(read.solver_settings.target == Target::slope);
  CHECK(read.solver_settings.lower_order_final == false);
  CHECK(read.solver_settings.variant == UniB::bh1);
  CHECK(make_schedule(read.schedule, read.schedule_settings).levels() ==
        make_schedule("time_uniform", written.schedule_settings).levels());
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
  CHECK_THAT(message_of([&] { io::read_amed(file.path); }), Catch::Contains("tensor fc_r.bias is missing"));
  raw.tensors["fc_r.bias"] = raw.tensors["enc_layer1.bias"];
  io::write_safetensors(file.path, raw);
  CHECK_THAT(message_of([&] { io::read_amed(file.path); }), Catch::Contains("fc_r's outputs is 4; allowed: 1"));
  raw.metadata["settings"] = "{}";
  io::write_safetensors(file.path, raw);
  CHECK_THAT(message_of([&] { io::read_amed(file.path); }), Catch::Contains("amed_test.safetensors: "));
  raw.metadata.erase("format");
  io::write_safetensors(file.path, raw);
  CHECK_THAT(message_of([&] { io::read_amed(file.path); }), Catch::Contains("not a time predictor"));
}

TEST_CASE(
    "both backends predict the same for every set of heads, with and without features, and after a round trip through "
    "a file") {
  const Array features = noise({1, 2, 3}, 16);
  for (const AmedNetwork& network : every_set_of_heads(16)) {
    INFO((network.ratio ? "ratio " : "") << (network.direction_scale ? "direction " : "")
                                         << (network.sigma_scale ? "sigma_scale" : ""));
    const TemporaryFile file;
    io::AmedFile written;
    written.network = network;
    io::write_amed(file.path, written);
    const AmedNetwork read = io::read_amed(file.path).network;
    for (const Array* given : {&features, static_cast<const Array*>(nullptr)}) {
      const Array eigen = predictions(AmedPredictor(read), given, 3),
                  tensors = predictions(TensorAmedPredictor(read, torch::kFloat64), given, 3);
      CHECK((eigen - tensors).abs().maxCoeff() < 1e-14);
      CHECK((eigen == predictions(AmedPredictor(network), given, 3)).all());
      CHECK((eigen.row(0) == 0.5).all() == !network.ratio);
      CHECK((eigen.row(1) == 1).all() == !network.direction_scale);
      CHECK((eigen.row(2) == 1).all() == !network.sigma_scale);
    }
  }
}

TEST_CASE("both backends predict the same with a shipped predictor and with a very wide one") {
  const io::AmedFile shipped = io::read_amed(models / "amed_5.safetensors");
  const Schedule schedule = make_schedule(shipped.schedule, shipped.schedule_settings);
  for (const AmedNetwork& network : {shipped.network, initial_amed_network(3'000, 0.05, 0.2, 3)}) {
    const Array features = noise({1, 2, 3, 4, 5}, static_cast<Eigen::Index>(network.features()));
    for (std::size_t i = 0; i < schedule.steps(); ++i) {
      const Array eigen = predictions(AmedPredictor(network), &features, 5, schedule[i], schedule[i + 1]);
      const Array tensors =
          predictions(TensorAmedPredictor(network, torch::kFloat64), &features, 5, schedule[i], schedule[i + 1]);
      CHECK(((eigen - tensors) / tensors).abs().maxCoeff() < 1e-12);
      for (Eigen::Index head = 0; head < 3; ++head)
        CHECK(eigen.row(head).maxCoeff() > eigen.row(head).minCoeff());  // depends on the features
    }
  }
}

TEST_CASE("batches of one to four samples equal runs of single samples, for every set of heads") {
  const MixtureDenoiser exact(test::mixture());
  const TensorMixtureDenoiser exact_tensors(test::mixture());
  const auto denoise = [&](const Array& x, const Level<Array>& sigma, Array& out, Array& features) {
    exact(x, sigma, out);
    features = x / 80;
  };
  const auto denoise_tensors = [&](const Tensor& x, const Tensor& sigma) {
    return std::pair(exact_tensors(x, sigma), x / 80);
  };
  const Options options{.analytic_first_step = true};  // a step without features, and two with them
  for (const AmedNetwork& network : every_set_of_heads(4)) {
    const auto run = [&](const Array& z) {
      return sample(Amed{Ipndm{.order = 3}, AmedPredictor(network)}, denoise, karras({.steps = 3}), z, options).x;
    };
    const auto run_tensors = [&](const Array& z) {
      return sample(Amed{Ipndm{.order = 3}, TensorAmedPredictor(network, torch::kFloat64)}, denoise_tensors,
                    karras({.steps = 3}), tensor(z), options)
          .x;
    };
    for (const std::vector<std::uint64_t>& seeds : {std::vector<std::uint64_t>{1}, {1, 2}, {1, 2, 3}, {1, 2, 3, 4}}) {
      INFO((network.ratio ? "ratio " : "") << (network.direction_scale ? "direction " : "")
                                           << (network.sigma_scale ? "sigma_scale " : "") << seeds.size());
      const Array z = noise(seeds, 4), whole = run(z);
      const Tensor tensors = run_tensors(z);
      CHECK(test::distance(tensors, tensor(whole)) < 1e-12);
      for (Eigen::Index b = 0; b < z.cols(); ++b) {
        CHECK((run(z.col(b)).col(0) == whole.col(b)).all());
        CHECK(test::distance(run_tensors(z.col(b))[0], tensors[b]) < 1e-12);
      }
    }
  }
}

TEST_CASE("a saturated ratio head keeps levels distinct") {
  AmedNetwork network = initial_amed_network(4, 0, 0, 1);
  network.ratio->bias[0] = 1e6;
  CHECK(sample(Amed{Dpmpp{.order = 3}, AmedPredictor(network)}, MixtureDenoiser(test::mixture()), karras({.steps = 4}),
               noise({1}, 4))
            .status == Status::complete);
  const auto tensors = sample(Amed{Dpmpp{.order = 3}, TensorAmedPredictor(network)},
                              TensorMixtureDenoiser(test::mixture()), karras({.steps = 4}), tensor(noise({1}, 4)));
  CHECK(tensors.status == Status::complete);
}

TEST_CASE("every solver with a TensorAmedPredictor obeys the laws") {
  const TensorAmedPredictor predictor(initial_amed_network(4, 0, 0, 7), torch::kFloat64);
  for (const auto& [label, solver] : test::configurations<Tensor>()) {
    if (label.ends_with("plugged")) continue;  // torch_test covers predictors inside predictors
    for (const auto& [law, failure] : test::verdicts<Tensor>(Amed{solver, predictor})) {
      INFO(label << ": " << law);
      if (law != "exactness") CHECK(failure == "");  // for ratios far from 1/2 levels are close, and weights cancel
    }
  }
}

TEST_CASE("Amed inside Amed applies direction and sigma scales as computed step by step") {
  const auto network = [](double x, double sigma) { return std::tanh(x) / (1 + sigma); };
  using Rows = std::vector<TablePredictor::Row>;
  const Rows outer{{0.4, 1.1, 0.9}, {0.6, 0.95, 1.2}},
      inner{{0.3, 0.9, 1.1}, {0.45, 1.05, 0.8}, {0.55, 1.2, 0.95}, {0.5, 0.85, 1.05}};
  const Schedule levels({20, 3, 0.4});
  const auto check = [&](const auto& solver, bool data) {
    const auto kept = [&](double x, double t, double s) { return data ? s / t * x : x; };
    const auto between = [](double t, double s, double ratio) { return std::pow(t, 1 - ratio) * std::pow(s, ratio); };
    const auto euler = [&](double x, double t, double s, double fed_level) {
      return x + (s - t) * (x - network(x, fed_level)) / t;
    };
    const auto plugged = [&](double x, double t, double s, const TablePredictor::Row& row, double sigma_scale) {
      const double m = between(t, s, row.ratio), y = euler(x, t, m, sigma_scale * t);
      return kept(y, m, s) + row.direction_scale * (euler(y, m, s, sigma_scale * row.sigma_scale * m) - kept(y, m, s));
    };
    double x = 13;
    for (std::size_t i = 0; i < 2; ++i) {
      const double t = levels[i], s = levels[i + 1], m = between(t, s, outer[i].ratio),
                   y = plugged(x, t, m, inner[2 * i], 1);
      x = kept(y, m, s) +
          outer[i].direction_scale * (plugged(y, m, s, inner[2 * i + 1], outer[i].sigma_scale) - kept(y, m, s));
    }
    CHECK(integrate(Amed{Amed{solver, TablePredictor{inner}}, TablePredictor{outer}}, network, levels, 13.).x ==
          Approx(x).epsilon(1e-13));
  };
  check(Euler{}, false);
  check(Dpmpp{.order = 1}, true);
}

TEST_CASE("gradients through plugged steps of every solver equal central differences along a random direction") {
  const TensorMixtureDenoiser exact(test::mixture());
  const auto denoise = [&](const Tensor& x, const Tensor& sigma) { return std::pair(exact(x, sigma), x / 80); };
  const Tensor x = tensor(noise({1, 2}, 4)) * 80;
  using Plug = std::function<AnySolver<Tensor>(const TensorAmedPredictor&)>;
  const auto check = [&](const std::string& label, const Plug& plug, const Schedule& schedule) {
    INFO(label);
    const TensorAmedPredictor predictor(initial_amed_network(4, 0.1, 0.1, 11), torch::kFloat64);
    const AnySolver<Tensor> student = plug(predictor);
    const auto loss = [&] { return end_to_end_loss(student, denoise, schedule, {}, x, torch::zeros_like(x)); };
    std::vector<Tensor> parameters = predictor.parameters(), direction;
    for (Tensor& p : parameters) p.requires_grad_();
    loss().backward();
    const torch::NoGradGuard no_grad;
    auto generator = at::detail::createCPUGenerator(1);
    double slope = 0;
    for (const Tensor& p : parameters) {
      direction.push_back(torch::randn(p.sizes(), generator, p.options()));
      slope += (p.grad() * direction.back()).sum().item<double>();
    }
    const auto moved = [&](double by) {
      for (std::size_t i = 0; i < parameters.size(); ++i) parameters[i].add_(direction[i], by);
      return loss().item<double>();
    };
    const double above = moved(1e-5), below = moved(-2e-5);
    CHECK(std::abs(slope) > 1e-3);
    CHECK(slope == Approx((above - below) / 2e-5).epsilon(1e-5));
  };
  for_each_solver([&](const auto& entry) {
    const std::string name(entry.name);
    check(name, [&](const TensorAmedPredictor& p) { return make_solver<Tensor>(name, {}, p); }, karras({.steps = 3}));
  });
  for (const auto& [label, solver] : test::configurations<Tensor>())
    check(
        "plugged " + label,
        [&, plain = solver](const TensorAmedPredictor& p) { return AnySolver<Tensor>(Amed{plain, p}); },
        karras({.steps = 3}));
  const Table table = tabulate(Ipndm{.order = 3}, karras({.steps = 6}));
  check(
      "table", [&](const TensorAmedPredictor& p) { return AnySolver<Tensor>(corrected_table(table, p)); },
      every_second_level(table));
}

TEST_CASE("PublishedAdam ignores NaN gradients and bounds infinite ones") {
  const double infinity = std::numeric_limits<double>::infinity();
  const auto numbers = [](double a, double b, double c, double d) {
    return torch::tensor({a, b, c, d}, torch::kFloat64);
  };
  const Tensor p = numbers(0, 0, 0, 0);
  PublishedAdam adam({p}, 0.1);
  adam.step((p * numbers(std::numeric_limits<double>::quiet_NaN(), infinity, -infinity, 2)).sum());
  CHECK(torch::equal(p.grad(), numbers(0, 1e5, -1e5, 2)));
  CHECK(test::distance(p, numbers(0, -0.1, 0.1, -0.1)) < 1e-8);  // Adam's first step is as long as the learning rate
  adam.step(p.sum());
  CHECK(torch::isfinite(p).all().item<bool>());  // Adam's averages are finite too
  CHECK(p[0].item<double>() < 0);
}

TEST_CASE("training reduces the student's distance to its teacher") {
  const TensorMixtureDenoiser exact(test::mixture());
  const auto denoise = [&](const Tensor& x, const Tensor& sigma) {
    return std::pair(exact(x, sigma), x.detach() / 80);
  };
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
      const auto teacher = record_teacher(Heun{}, denoise, karras({.steps = 60}), x, {.stride = 20}).states;
      return end_to_end_loss(student, denoise, schedule, {}, x, teacher.back()).item<double>();
    };
    const double before = distance();
    for (std::uint64_t k = 0; k < 30; ++k) {
      const Tensor x = batch(32 * k);
      const auto teacher = record_teacher(Heun{}, denoise, karras({.steps = 60}), x, {.stride = 20}).states;
      if (greedy)
        greedy_pass(student, denoise, schedule, {}, teacher, Restart::teacher,
                    [&](const GreedyStep& step) { adam.step(step.loss); });
      else adam.step(end_to_end_loss(student, denoise, schedule, {}, x, teacher.back()));
    }
    INFO((greedy ? "greedy: " : "end to end: ") << before << " to " << distance());
    CHECK(distance() < 0.7 * before);
  }
  CHECK_THROWS_WITH(record_teacher(Heun{}, denoise, schedule, batch(0), {.stride = 2}),
                    Catch::Contains("stride is 2; allowed: divisors"));
}

TEST_CASE("a prediction takes less than a hundredth of an evaluation of the shipped network, at batch 64") {
  const c10::InferenceMode no_gradients;
  const auto unet = examples::load_denoiser(models / "fashion_mnist.safetensors");
  const TensorAmedPredictor predict(io::read_amed(models / "amed_5.safetensors").network);
  const auto seconds = [](const auto& work) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  const Tensor x = torch::randn({64, 1, 32, 32}), sigma = torch::tensor(1.);
  const Level<Tensor> from(1.), to(0.1);
  Tensor features;
  Prediction<Tensor> out;
  double evaluation = std::numeric_limits<double>::infinity(), prediction = evaluation;
  for (int k = 0; k < 3; ++k) {  // the best of several, interleaved, because other programs may be running
    evaluation = (std::min)(evaluation, seconds([&] { features = unet->forward(x, sigma).feature; }));
    for (int j = 0; j < 10; ++j)
      prediction = (std::min)(prediction, seconds([&] { predict(Step<Tensor>{from, to, 0, 1}, &features, out); }));
  }
  INFO(prediction << " s of " << evaluation << " s");
  CHECK(prediction < 0.01 * evaluation);
}

TEST_CASE("a predictor for another number of features is rejected") {
  for (const auto& entry : fs::directory_iterator(networks)) {
    if (entry.path().extension() != ".safetensors") continue;
    const auto unet = examples::load_denoiser(entry.path());
    const examples::ImageConfig& c = unet->config();
    const Tensor x = torch::zeros({1, c.img_channels, c.img_resolution, c.img_resolution});
    CHECK(c.feature_size() == unet->forward(x, torch::tensor(1.)).feature.flatten(1).size(1));
  }
  const TemporaryFile file;
  io::AmedFile written;
  written.network = initial_amed_network(100, 0, 0, 1);
  written.data_shape = {1, 32, 32};
  io::write_amed(file.path, written);
  const auto unet = examples::load_denoiser(networks / "ddpmpp_uncond.safetensors");
  CHECK(message_of([&] { examples::read_predictor(file.path, examples::shape_of(unet->config())); }) ==
        "predictor is " + file.path.string() + " for 100 features; allowed: predictors for this model's 64");
}

TEST_CASE("train_amed resumes only a checkpoint of the same settings") {
  const Scratch scratch("amed_checkpoint");
  const std::string common = "--model '" + (networks / "ddpmpp_uncond.safetensors").string() +
                             "' --steps 2 --afs --batch 3 --out p.safetensors --trajectories 3 ";
  const auto done = scratch.run("train_amed", common + "--validation 3");
  INFO(done.text);
  REQUIRE(done.code == 0);
  const std::string weights = scratch.bytes("p.safetensors"), log = scratch.bytes("p.safetensors.log");
  const auto refused = [&](const std::string& other, const std::string& words) {
    const auto outcome = scratch.run("train_amed", common + other);
    INFO(outcome.text);
    CHECK(outcome.code > 0);
    CHECK(outcome.text.starts_with("error: p.safetensors.checkpoint has "));
    CHECK(outcome.text.find(words) != std::string::npos);
    CHECK(outcome.text.ends_with("; remove it to start over\n"));
    CHECK(std::count(outcome.text.begin(), outcome.text.end(), '\n') == 1);
    CHECK(scratch.bytes("p.safetensors") == weights);
    CHECK(scratch.bytes("p.safetensors.log") == log);
  };
  refused("--loss end-to-end --lr 0.01", "other settings (loss \"greedy\", not \"end-to-end\", lr 0.005, not 0.01)");
  refused("--solver ipndm --order 2", "\"ipndm: order 2\"");
  refused("--schedule log_uniform", "levels [80.0,");
  refused("--gradients finite --epsilon 0.01",
          "other settings (epsilon 0.0, not 0.01, gradients \"automatic\", not \"finite\")");
  refused("--forget-analytic", "other settings (forget-analytic false, not true)");

  const auto more = scratch.run(
      "train_amed",
      common + "--validation 2 --cache cache --checkpoint-interval 7");  // options that do not change the weights
  INFO(more.text);
  CHECK(more.code == 0);
  CHECK(more.text.find("resuming at trajectory 3") != std::string::npos);
}

TEST_CASE("train_amed: finite differences and automatic gradients train the same predictor") {
  const Scratch scratch("amed_gradients");
  for (const std::string loss : {"greedy", "end-to-end"}) {
    const auto trained = [&](const std::string& gradients) {
      const std::string out = loss + "_" + gradients + ".safetensors";
      const auto done = scratch.run(
          "train_amed", "--model '" + (networks / "ddpmpp_uncond.safetensors").string() +
                            "' --steps 2 --afs --batch 3 --validation 3 --cache cache --trajectories 6 --loss " + loss +
                            " --gradients " + gradients + " --out " + out);
      INFO(done.text);
      REQUIRE(done.code == 0);
      std::istringstream log(scratch.bytes(out + ".log"));
      std::string line;
      while (!line.starts_with("trajectories")) std::getline(log, line);
      const double first_loss = std::stod(line.substr(line.find("loss ") + 5));
      CHECK(std::count(line.begin(), line.end(), ' ') == (loss == "greedy" ? 9 : 8));  // a mean ratio per step
      return std::pair(first_loss, io::read_amed(scratch.dir / out).network);
    };
    const auto [automatic_loss, automatic] = trained("automatic");
    const auto [finite_loss, finite] = trained("finite");
    CHECK(finite_loss == automatic_loss);
    double moved = 0;
    for (std::size_t i = 0; i < finite.ratio->weight.size(); ++i)
      moved = test::worst(moved, std::abs(finite.ratio->weight[i] - automatic.ratio->weight[i]));
    CHECK(moved < 1e-3);
    CHECK(moved > 0);
  }
}

TEST_CASE("train_amed rejects a checkpoint without settings") {
  const Scratch scratch("amed_old_checkpoint");
  torch::serialize::OutputArchive archive;
  archive.write("done", torch::tensor(3));
  archive.save_to((scratch.dir / "p.safetensors.checkpoint").string());
  const auto outcome = scratch.run(
      "train_amed", "--model '" + (networks / "ddpmpp_uncond.safetensors").string() + "' --out p.safetensors");
  CHECK(outcome.code > 0);
  CHECK(outcome.text ==
        "error: p.safetensors.checkpoint has no settings: an old version wrote it; remove it to start over\n");
}

TEST_CASE("train_amed: a damaged checkpoint is named, a full disk leaves the older one") {
  const Scratch scratch("amed_disk");
  const std::string common = "--model '" + (networks / "ddpmpp_uncond.safetensors").string() +
                             "' --steps 2 --afs --batch 3 --validation 3 --out p.safetensors --trajectories ";
  REQUIRE(scratch.run("train_amed", common + "3").code == 0);
  const std::string checkpoint = scratch.bytes("p.safetensors.checkpoint"), weights = scratch.bytes("p.safetensors");
  const auto files = std::distance(fs::directory_iterator(scratch.dir), {});

  const auto full = scratch.run("train_amed", common + "6", "ulimit -f 20 &&");
  INFO(full.text);
  CHECK(full.code == 1);
  CHECK(full.text.ends_with("\nerror: writing p.safetensors.checkpoint failed: File too large\n"));
  CHECK(scratch.bytes("p.safetensors.checkpoint") == checkpoint);
  CHECK(scratch.bytes("p.safetensors") == weights);
  CHECK(std::distance(fs::directory_iterator(scratch.dir), {}) == files);

  for (const std::string& bytes : {checkpoint.substr(0, checkpoint.size() / 2), std::string("no archive")}) {
    std::ofstream(scratch.dir / "p.safetensors.checkpoint", std::ios::binary) << bytes;
    const auto damaged = scratch.run("train_amed", common + "6");
    INFO(damaged.text);
    CHECK(damaged.code == 1);
    CHECK(damaged.text.starts_with("error: p.safetensors.checkpoint: "));
    CHECK(damaged.text.ends_with("; remove it to start over\n"));
    CHECK(std::count(damaged.text.begin(), damaged.text.end(), '\n') == 1);
  }
  fs::remove(scratch.dir / "p.safetensors.checkpoint");
  fs::create_directory(scratch.dir / "p.safetensors.checkpoint");
  CHECK(scratch.run("train_amed", common + "6").text ==
        "error: out is p.safetensors.checkpoint; allowed: files: this is a folder\n");
}

TEST_CASE("train_amed: after a signal the same command continues, with the weights of an uninterrupted run") {
  const Scratch scratch("amed_signal");
  const std::string common = "--model '" + (networks / "ddpmpp_uncond.safetensors").string() +
                             "' --steps 2 --afs --batch 3 --validation 3 --cache cache ";
  const auto stopped = scratch.shell(
      Scratch::program("train_amed") + " " + common +
      "--out parts.safetensors --trajectories 1000000 & until grep -qs '^trajectories' parts.safetensors.log; do sleep "
      "0.05; done; kill -TERM $!; wait $!");
  INFO(stopped.text);
  CHECK(stopped.code == 128 + 15);
  CHECK(stopped.text == "interrupted; the same command continues from parts.safetensors.checkpoint\n");
  CHECK_FALSE(fs::exists(scratch.dir / "parts.safetensors"));
  CHECK_FALSE(fs::exists(scratch.dir / "parts.safetensors.lock"));
  const std::string log = scratch.bytes("parts.safetensors.log");
  const std::string total = std::to_string(std::stol(log.substr(log.rfind("\ntrajectories ") + 14)) + 3);
  for (const std::string name : {"parts", "whole"}) {
    const auto done = scratch.run("train_amed", common + "--out " + name + ".safetensors --trajectories " + total);
    INFO(done.text);
    REQUIRE(done.code == 0);
  }
  const AmedNetwork parts = io::read_amed(scratch.dir / "parts.safetensors").network,
                    whole = io::read_amed(scratch.dir / "whole.safetensors").network;
  CHECK(parts.encode_0.weight == whole.encode_0.weight);
  CHECK(parts.ratio->weight == whole.ratio->weight);
}

TEST_CASE(
    "train_amed: validation does not change the weights, and the file has the settings and the measured distance") {
  const Scratch scratch("amed_validation");
  const auto unet = examples::load_denoiser(networks / "ddpmpp_uncond.safetensors");
  const std::string common = "--model '" + (networks / "ddpmpp_uncond.safetensors").string() +
                             "' --solver unipc --order 2 --form noise --variant bh1 "
                             "--lower-order-final false --sigma-min 0.01 --sigma-max 40 --steps 2 --loss end-to-end "
                             "--teacher-steps 2 --ema 0.9 "
                             "--batch 3 --trajectories 9 --validation 4 --out ";
  const auto trained = [&](const std::string& name, const std::string& more) {
    const auto done = scratch.run("train_amed", common + name + more);
    INFO(done.text);
    REQUIRE(done.code == 0);
    std::istringstream log(scratch.bytes(name + ".log"));
    std::vector<double> measured;  // after each batch; 0: not measured
    for (std::string line; std::getline(log, line);) {
      const auto at = line.find("  validation ");
      if (line.starts_with("trajectories")) measured.push_back(at == line.npos ? 0 : std::stod(line.substr(at + 13)));
      if (line.starts_with("# validation ")) measured.push_back(std::stod(line.substr(13)));
    }
    REQUIRE(measured.size() == 4);
    return measured;
  };
  const std::vector<double> often = trained("often.safetensors", " --checkpoint-interval 0.000001"),
                            once = trained("once.safetensors", " --checkpoint-interval 600");
  CHECK((often[0] > 0 && often[1] > 0 && often[0] != often[1]));
  CHECK((once[0] == 0 && once[1] == 0));
  CHECK(often[2] == once[2]);
  CHECK(often[3] == Approx(often[2]).epsilon(1e-3));
  const io::AmedFile file = io::read_amed(scratch.dir / "often.safetensors");
  CHECK(file.network.encode_0.weight == io::read_amed(scratch.dir / "once.safetensors").network.encode_0.weight);

  CHECK(file.solver_settings.target == Target::slope);
  CHECK(file.solver_settings.variant == UniB::bh1);
  CHECK(file.solver_settings.lower_order_final == false);
  const Schedule schedule = make_schedule(file.schedule, file.schedule_settings);
  CHECK(schedule.levels() == karras({.steps = 2, .sigma_min = 0.01, .sigma_max = 40}).levels());

  // The distance is that of the weights in the file to a teacher on the same range, on noise for validation.
  const Tensor x = 40 * examples::noise_of(examples::training_numbers(0, examples::validation_begins, 4),
                                           unet->config(), torch::kCPU);
  const auto denoise = examples::bind_labels(unet);
  const auto loaded =
      examples::load_predictor(scratch.dir / "often.safetensors", examples::shape_of(unet->config()), torch::kCPU);
  const Tensor teacher = integrate(Heun{}, denoise, schedule, x).x,
               student = integrate(loaded.sampler.solver, denoise, loaded.sampler.schedule, x).x;
  CHECK((student - teacher).square().mean().sqrt().item<double>() == Approx(often[3]).epsilon(1e-4));
}

}  // namespace fewstep::amed_test
