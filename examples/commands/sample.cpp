// Draws images from a trained network:
//   sample --model fashion_mnist.safetensors --solver ipndm --steps 5 --seeds 0-63 --out grid.png
#include "support/command_line.hpp"
#include "support/condition.hpp"
#include "support/loaded_sampler.hpp"
#include "support/network.hpp"
#include "support/output.hpp"
#include "support/progress.hpp"
#include "support/sampler.hpp"
#include "support/seeds.hpp"
#include "support/solver_list.hpp"
#include "support/tensor_output.hpp"

#include <fewstep/schedule_registry.hpp>
#include <fewstep/torch/noise.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
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
  NetworkOptions network;
  fs::path predictor, table, out, npy, trajectory;
  std::string solver = "dpmpp", schedule = "karras", seeds = "0-63";
  SolverSettings solver_settings;
  ScheduleSettings schedule_settings;
  Options options;
  std::optional<std::int64_t> label;
  double guidance = 1;
  std::size_t batch = 64;
};

void add_sampler_options(CommandLine& line, Settings& s) {
  line.option("--solver", s.solver, solver_names());
  line.option("--order", s.solver_settings.order, "order of the solver, if it has several");
  line.option("--steps", s.schedule_settings.steps, "steps of the solver").range(1, 10'000);
  line.option("--schedule", s.schedule, "karras, log_uniform, time_uniform, ...");
  line.option("--rho", s.schedule_settings.rho, "exponent of the schedule (default: 7 for karras, 1 for time_uniform)");
  line.flag("--afs", s.options.analytic_first_step, "analytic first step, which saves one evaluation");
  line.flag("!--forget-analytic", s.options.analytic_in_history,
            "leave the slope of the analytic first step out of the solver's history");
  const std::vector<std::string> own{"--solver", "--order", "--steps",          "--schedule",
                                     "--rho",    "--afs",   "--forget-analytic"};
  line.option("--predictor", s.predictor, "predictor of train_amed (.safetensors), with its solver and schedule")
      .excludes(own);
  line.option("--table", s.table, "table of calibrate (.json), with its schedule")
      .excludes(own)
      .excludes({"--predictor"});
}

void add_options(CommandLine& line, Settings& s) {
  s.network.add_model(line);
  add_sampler_options(line, s);
  line.option("--seeds", s.seeds, "a seed for each image, such as 0-63,70,80-90");
  line.option("--class", s.label, "class of the images; unconditional images if not given");
  line.option("--guidance", s.guidance, "classifier-free guidance scale; other than 1, each step takes twice the NFE");
  line.option("--batch", s.batch, "images per batch").range(1, 65'536);
  s.network.add_device_and_dtype(line);
  line.option("--out", s.out, "picture of all images (.png)");
  line.option("--npy", s.npy, "the images [N, C, H, W] in float32 (.npy)");
  line.option("--trajectory", s.trajectory, "the states at all noise levels [levels, N, C, H, W] in float32 (.npy)");
}

/// @param predictions  times those of a predictor
LoadedSampler sampler_of(const Settings& s, const UnetConfig& config, CallTimes& predictions) {
  const torch::Device device = parse_device(s.network.device);
  if (!s.predictor.empty()) return load_predictor(s.predictor, config, device, &predictions);
  if (!s.table.empty()) return load_table(s.table, config, device);
  return {s.solver,
          {tensor_solver(s.solver, s.solver_settings), make_schedule(s.schedule, s.schedule_settings), s.options}};
}

Condition condition_of(const Settings& s, const UnetConfig& config) {
  require(s.guidance == 1 || s.label, "guidance", s.guidance, "1 without --class");
  if (!s.label) return {.unlabelled = true};
  require(config.label_dim > 0, "class", *s.label, "none: this network was trained without classes");
  require(*s.label >= 0 && *s.label < config.label_dim, "class", *s.label,
          "0 to " + std::to_string(config.label_dim - 1));
  return {.guidance = s.guidance, .classes = {*s.label}};
}

struct Drawn {
  Tensor images, trajectories;  // [N, C, H, W], [levels, N, C, H, W], float32; trajectories only for --trajectory
  double seconds;
};

Drawn draw_all(const Settings& s, const Sampler& sampler, const UnetConfig& config, const Network& network) {
  const Condition condition = condition_of(s, config);
  const auto seeds = parse_seeds(s.seeds);
  const auto state = torch::TensorOptions(parse_device(s.network.device))
                         .dtype(s.network.dtype == "float64" ? torch::kFloat64 : torch::kFloat32);
  const auto begin = std::chrono::steady_clock::now();
  std::vector<Tensor> images, trajectories;
  for (std::size_t first = 0; first < seeds.size(); first += s.batch) {
    const auto last = std::min(first + s.batch, seeds.size());
    const Tensor noise = tensor_noise({seeds.data() + first, seeds.data() + last},
                                      {config.img_channels, config.img_resolution, config.img_resolution}, state);
    const ConditionalDenoiser denoise(network, condition.labels(config, 0, noise.size(0)), condition.guidance);
    std::vector<Tensor> states;
    const auto keep = [&](const Tensor& x) {
      if (!s.trajectory.empty()) states.push_back(x.to(torch::kCPU, torch::kFloat32));
    };
    keep(noise * sampler.schedule[0]);
    const auto result = draw(sampler, denoise, noise, [&](const Snapshot<Tensor>& step) { keep(step.x); });
    if (result.status != Status::complete)
      throw std::runtime_error("the samples are not finite: the network does not fit dtype " + s.network.dtype +
                               " or these noise levels");
    images.push_back(result.x.to(torch::kCPU, torch::kFloat32));
    if (!states.empty()) trajectories.push_back(torch::stack(states));
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return {torch::cat(images), trajectories.empty() ? Tensor() : torch::cat(trajectories, 1), seconds};
}

void run(const Settings& s) {
  require(!s.out.empty() || !s.npy.empty() || !s.trajectory.empty(), "the output", "missing",
          "one or more of --out, --npy, --trajectory");
  check_output("out", s.out, ".png");
  check_output("npy", s.npy, ".npy");
  check_output("trajectory", s.trajectory, ".npy");
  const std::size_t count = parse_seeds(s.seeds).size(), batches = (count + s.batch - 1) / s.batch;
  const auto network = s.network.load();
  const UnetConfig& config = network->config();
  require(s.out.empty() || config.img_channels == 1 || config.img_channels == 3, "out", s.out.string(),
          "--npy only: a network of " + std::to_string(config.img_channels) + " channels draws no pictures");
  CallTimes evaluations, predictions;
  const LoadedSampler loaded = sampler_of(s, config, predictions);
  const int per_call = s.guidance == 1 ? 1 : 2, nfe = loaded.sampler.nfe(per_call);

  Progress progress("sampling", static_cast<double>(nfe) * static_cast<double>(batches), "evaluations");
  const Drawn drawn = draw_all(s, loaded.sampler, config, timed(network, progress, evaluations));
  progress.finish();
  if (!s.out.empty()) write_png(s.out, picture(drawn.images));
  if (!s.npy.empty()) write_npy(s.npy, drawn.images);
  if (!s.trajectory.empty()) write_npy(s.trajectory, drawn.trajectories);

  std::printf("NFE                  %d\n", nfe);
  if (loaded.sequential_nfe && *loaded.sequential_nfe * per_call != nfe)
    std::printf("sequential NFE       %d\n", *loaded.sequential_nfe * per_call);
  std::printf("seconds              %.2f\n", drawn.seconds);
  std::printf("images per second    %.1f\n", static_cast<double>(count) / drawn.seconds);
  std::printf("outside the network  %.1f%%\n", 100 * (1 - evaluations.seconds / drawn.seconds));
  if (predictions.calls > 0)
    std::printf("a prediction         %.2f%% of an evaluation\n",
                100 * predictions.seconds / predictions.calls / (evaluations.seconds / evaluations.calls));
}

}  // namespace

int main(int argc, char** argv) {
  Settings s;
  CommandLine line("sample", "Draws images from a trained network in a few evaluations.");
  add_options(line, s);
  return line.run(argc, argv, [&] { run(s); });
}
