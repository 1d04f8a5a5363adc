// sample: images from a trained network.
//   sample --model fashion_mnist.safetensors --solver ipndm --steps 5 --seeds 0-63 --out grid.png
#include "support/command_line.hpp"
#include "support/image_grid.hpp"
#include "support/network.hpp"
#include "support/npy.hpp"
#include "support/output.hpp"
#include "support/predictor_file.hpp"
#include "support/progress.hpp"
#include "support/seeds.hpp"

#include <fewstep/torch.hpp>

#include <torch/torch.h>
#include <CLI/CLI.hpp>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace fewstep;
using namespace fewstep::examples;
using torch::Tensor;
namespace fs = std::filesystem;

struct Settings {
  fs::path model, predictor, table, out, npy, trajectory;
  std::string solver = "dpmpp", schedule = "karras", seeds = "0-63", device = "cpu", dtype = "float32";
  SolverSettings solver_settings;
  ScheduleSettings schedule_settings;
  bool analytic_first_step = false, analytic_in_history = true;
  std::optional<std::int64_t> label;
  double guidance = 1;
  std::size_t batch = 64;
};

/// The network in its place and type. Half precision is for the network alone: the state stays in float32, as the last
/// steps move it by less than such a type can tell.
std::shared_ptr<EdmDenoiser> network_for(const Settings& s, torch::Device device) {
  const auto network = load_unet(s.model);
  network->to(device);
  if (s.dtype == "float64") network->to(torch::kFloat64);
  if (s.dtype == "bfloat16") network->compute_type = torch::kBFloat16;
  if (s.dtype == "float16") network->compute_type = torch::kHalf;
  return network;
}

Tensor label_row(const Settings& s, const UnetConfig& config, torch::Device device) {
  if (!s.label) return {};
  if (config.label_dim == 0) require(false, "class", *s.label, "none: this network was trained without classes");
  require(*s.label >= 0 && *s.label < config.label_dim, "class", *s.label,
          "0 to " + std::to_string(config.label_dim - 1));
  return class_rows(torch::tensor({*s.label}), config.label_dim)[0].to(device);
}

void run(Settings s) {
  require(!s.out.empty() || !s.npy.empty() || !s.trajectory.empty(), "the output", "missing",
          "one or more of --out, --npy, --trajectory");
  check_output("out", s.out, ".png");
  check_output("npy", s.npy, ".npy");
  check_output("trajectory", s.trajectory, ".npy");
  const auto seeds = parse_seeds(s.seeds);
  auto solver = make_solver<Tensor>(s.solver, s.solver_settings);
  make_schedule(s.schedule, s.schedule_settings);
  const torch::Device device = parse_device(s.device);
  const auto network = network_for(s, device);
  const UnetConfig& config = network->config();
  Options options{.analytic_first_step = s.analytic_first_step, .analytic_in_history = s.analytic_in_history};
  Spent spent, predicting;
  if (!s.predictor.empty()) {  // with a schedule and a start of its own
    const io::AmedFile file = read_predictor(s.predictor, config);
    solver = predicted_solver(file, device, &predicting);
    s.schedule = file.schedule;
    s.schedule_settings = file.schedule_settings;
    options = predicted_options(file);
  }
  Schedule schedule = make_schedule(s.schedule, s.schedule_settings);
  std::shared_ptr<const TensorGaussianStart> start;
  std::optional<int> rounds;  // of a table: its midpoints need not wait for each other
  if (!s.table.empty()) {
    const Learned one = read_calibrated(s.table, config, device);
    solver = one.solver;
    schedule = one.schedule;
    options = one.options;
    start = one.start;
    rounds = io::read_table(s.table).table.rounds(options.analytic_first_step);
  }
  require(s.out.empty() || config.img_channels == 1 || config.img_channels == 3, "out", s.out.string(),
          "--npy alone: a network of " + std::to_string(config.img_channels) + " channels makes no picture");
  const Tensor label = label_row(s, config, device);
  require(s.guidance == 1 || s.label, "guidance", s.guidance, "1 without --class");

  const auto state = torch::TensorOptions(device).dtype(s.dtype == "float64" ? torch::kFloat64 : torch::kFloat32);
  const int per_call = s.guidance == 1 ? 1 : 2, nfe = evaluations(solver, schedule, options, per_call);
  const std::size_t batches = (seeds.size() + s.batch - 1) / s.batch;
  Progress progress("sampling", static_cast<double>(nfe) * static_cast<double>(batches), "evaluations");
  const TimedNetwork labelled(network, label, progress, spent), unlabelled(network, {}, progress, spent);

  const auto begin = std::chrono::steady_clock::now();
  std::vector<Tensor> images, trajectories;
  for (std::size_t first = 0; first < seeds.size(); first += s.batch) {
    const auto last = std::min(first + s.batch, seeds.size());
    const std::vector<std::uint64_t> some(seeds.begin() + static_cast<std::ptrdiff_t>(first),
                                          seeds.begin() + static_cast<std::ptrdiff_t>(last));
    const Tensor unit_noise =
        tensor_noise(some, {config.img_channels, config.img_resolution, config.img_resolution}, state);
    const auto drawn = [&](const auto& denoise) {
      if (s.trajectory.empty()) return sample(solver, denoise, schedule, unit_noise, options);
      Trajectory<Tensor> trajectory{{unit_noise * schedule[0]}};
      auto with_states = sample(solver, denoise, schedule, unit_noise, options, std::ref(trajectory));
      for (Tensor& x : trajectory.states) x = x.to(torch::kCPU, torch::kFloat32);
      trajectories.push_back(torch::stack(trajectory.states));
      return with_states;
    };
    const auto started = [&](const auto& denoise) {
      if (!start) return drawn(denoise);
      const Tensor rows = label.defined() ? label.expand({unit_noise.size(0), -1}) : Tensor();
      return drawn(with_analytic_first_step(denoise, start->denoiser(rows, s.guidance)));
    };
    const auto result =
        s.guidance == 1 ? started(labelled) : started(guided(labelled, unlabelled, {.scale = s.guidance}));
    if (result.status != Status::complete)
      throw std::runtime_error("the samples are not finite: the network does not fit dtype " + s.dtype +
                               " or these noise levels");
    images.push_back(result.x.to(torch::kCPU, torch::kFloat32));
  }
  progress.finish();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();

  const Tensor all = torch::cat(images).contiguous();
  if (!s.out.empty()) {
    const auto size = extents(all);
    write_png(s.out, grid(floats(all), {.batch = size[0], .channels = size[1], .height = size[2], .width = size[3]}));
  }
  if (!s.npy.empty()) write_npy(s.npy, floats(all), all.sizes().vec());
  if (!s.trajectory.empty()) {
    const Tensor states = torch::cat(trajectories, 1).contiguous();
    write_npy(s.trajectory, floats(states), states.sizes().vec());
  }
  std::printf("evaluations          %d\n", nfe);
  if (rounds && *rounds * per_call != nfe) std::printf("evaluations in turn  %d\n", *rounds * per_call);
  std::printf("seconds              %.2f\n", seconds);
  std::printf("images per second    %.1f\n", static_cast<double>(seeds.size()) / seconds);
  std::printf("outside the network  %.1f%%\n", 100 * (1 - spent.seconds / seconds));
  if (predicting.calls > 0)
    std::printf("a prediction         %.2f%% of an evaluation\n",
                100 * predicting.seconds / predicting.calls / (spent.seconds / spent.calls));
}

}  // namespace

int main(int argc, char** argv) {
  Settings s;
  CLI::App app{"Draws images from a trained network in a few evaluations."};
  plain_words(app);
  std::string solvers;
  for_each_solver([&](const auto& entry) { solvers += (solvers.empty() ? "" : ", ") + std::string(entry.name); });
  app.add_option("--model", s.model, "weights of the network (safetensors)")->required();
  auto* predictor = app.add_option("--predictor", s.predictor,
                                   "a trained time predictor (safetensors), with solver, steps and schedule");
  auto* table =
      app.add_option("--table", s.table, "a solver's numbers (.json), with its schedule")->excludes(predictor);
  for (CLI::Option* own :
       {app.add_option("--solver", s.solver, solvers),
        app.add_option("--order", s.solver_settings.order, "of solvers that have several: dpmpp 1 to 3, ipndm 1 to 4"),
        app.add_option("--steps", s.schedule_settings.steps, "steps of the solver")->check(CLI::Range(1, 10'000)),
        app.add_option("--schedule", s.schedule, "karras (polynomial), log_uniform (logsnr), time_uniform"),
        app.add_option("--rho", s.schedule_settings.rho, "the schedule's exponent (karras: 7, time_uniform: 1)"),
        static_cast<CLI::Option*>(
            app.add_flag("--afs", s.analytic_first_step, "analytic first step: saves the first evaluation")),
        static_cast<CLI::Option*>(app.add_flag("!--forget-analytic", s.analytic_in_history,
                                               "keep that step's slope out of a multistep solver's history"))})
    own->excludes(predictor)->excludes(table);
  app.add_option("--seeds", s.seeds, "one image each, such as 0-63,70,80-90");
  app.add_option("--class", s.label, "the class to draw; without it, pictures of no class");
  app.add_option("--guidance", s.guidance, "towards the class (classifier-free); other than 1, each evaluation is two");
  app.add_option("--batch", s.batch, "images at a time")->check(CLI::Range(1, 65'536));
  app.add_option("--device", s.device, "cpu, cuda, cuda:1, ...");
  app.add_option("--dtype", s.dtype, "the type that the network computes in")
      ->check(CLI::IsMember({"float32", "float64", "bfloat16", "float16"}));
  app.add_option("--out", s.out, "a picture of all images (.png)");
  app.add_option("--npy", s.npy, "the images [N, C, H, W] in float32 (.npy)");
  app.add_option("--trajectory", s.trajectory, "the states at every level [levels, N, C, H, W] in float32 (.npy)");
  finite_numbers(app);
  CLI11_PARSE(app, argc, argv);
  try {
    keep_freed_memory();
    run(s);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", first_line(error).c_str());
    return 1;
  }
}
