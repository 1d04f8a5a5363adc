// Draws samples from a network:
//   sample --model fashion_mnist.safetensors --solver ipndm --steps 5 --seeds 0-63 --out grid.png
//   sample --model model.json --scheduler scheduler_config.json --steps 20 --npy samples.npy
#include "support/command_line.hpp"
#include "support/condition.hpp"
#include "support/described_subject.hpp"
#include "support/loaded_sampler.hpp"
#include "support/network.hpp"
#include "support/output.hpp"
#include "support/progress.hpp"
#include "support/sampler.hpp"
#include "support/seeds.hpp"
#include "support/solver_list.hpp"
#include "support/subject.hpp"
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
  fs::path predictor, table, scheduler, noise, out, npy, trajectory;
  std::string solver = "dpmpp", schedule = "karras", seeds = "0-63";
  SolverSettings solver_settings;
  ScheduleSettings schedule_settings;
  Options options;
  std::optional<std::int64_t> label;
  std::optional<double> mu;
  bool to_zero = false;
  double guidance = 1;
  std::size_t batch = 64;
};

void add_sampler_options(CommandLine& line, Settings& s) {
  line.option("--solver", s.solver, solver_names());
  line.option("--order", s.solver_settings.order, "order of the solver, if it has several");
  line.option("--steps", s.schedule_settings.steps, "steps of the solver").range(1, 10'000);
  line.option("--schedule", s.schedule, "karras, log_uniform, time_uniform, ...");
  line.option("--rho", s.schedule_settings.rho, "exponent of the schedule (default: 7 for karras, 1 for time_uniform)");
  line.flag("--to-zero", s.to_zero, "end the schedule at level 0: the last step returns the denoised image");
  line.flag("--afs", s.options.analytic_first_step, "analytic first step, which saves one evaluation");
  line.flag("!--forget-analytic", s.options.analytic_in_history,
            "leave the slope of the analytic first step out of the solver's history");
  const std::vector<std::string> own{"--solver", "--order",   "--steps", "--schedule",
                                     "--rho",    "--to-zero", "--afs",   "--forget-analytic"};
  line.option("--predictor", s.predictor, "predictor of train_amed (.safetensors), with its solver and schedule")
      .excludes(own);
  line.option("--table", s.table, "table of calibrate (.json), with its schedule")
      .excludes(own)
      .excludes({"--predictor"});
  line.option(
          "--scheduler", s.scheduler,
          "scheduler_config.json of diffusers, for a described network: its solver at --steps, started as by pipelines")
      .excludes({"--solver", "--order", "--schedule", "--rho", "--to-zero", "--afs", "--forget-analytic", "--predictor",
                 "--table"});
  line.option("--mu", s.mu, "mu of a --scheduler with use_dynamic_shifting").needs("--scheduler");
}

void add_options(CommandLine& line, Settings& s) {
  s.network.add_model(line, true);
  add_sampler_options(line, s);
  line.option("--seeds", s.seeds, "a seed for each image, such as 0-63,70,80-90");
  line.option("--noise", s.noise, "unit noise [N, C, H, W] in place of seeds (.npy)").excludes({"--seeds"});
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

/// A network of train_denoiser or convert_edm.
Subject subject_of_network(const Settings& s, CallTimes& predictions) {
  require(s.scheduler.empty(), "scheduler", s.scheduler.string(), "only with a described network (.json)");
  const auto network = s.network.load();
  const UnetConfig& config = network->config();
  const Condition condition = condition_of(s, config);
  return {{config.img_channels, config.img_resolution, config.img_resolution},
          sampler_of(s, config, predictions),
          s.guidance == 1 ? 1 : 2,
          [=](std::int64_t samples, Progress& progress, CallTimes& times) {
            return ConditionalDenoiser(timed(network, progress, times), condition.labels(network->config(), 0, samples),
                                       condition.guidance);
          }};
}

/// A network that a description names.
Subject subject_of_description(const Settings& s) {
  require(s.predictor.empty(), "predictor", s.predictor.string(), "none for a described network");
  require(!s.label, "class", s.label.value_or(0), "none for a described network: its description names conditions");
  require(s.network.dtype == "float32" || s.network.dtype == "float64", "dtype", s.network.dtype,
          "float32 or float64 for a described network, which has a type of its own");
  DescribedRun run{s.network.model, parse_device(s.network.device), s.guidance};
  if (!s.scheduler.empty()) return described_subject(run, s.scheduler, s.schedule_settings.steps, s.mu);
  if (!s.table.empty()) return described_subject(run, s.table);
  return described_subject(run, tensor_solver(s.solver, s.solver_settings), s.solver, s.schedule, s.schedule_settings,
                           s.options);
}

struct Drawn {
  Tensor images, trajectories;  // [N, C, H, W], [levels, N, C, H, W], float32; trajectories only for --trajectory
  double seconds;
};

/// Unit noise of all samples.
Tensor noise_of(const Settings& s, const Subject& subject) {
  const auto state = torch::TensorOptions(parse_device(s.network.device))
                         .dtype(s.network.dtype == "float64" ? torch::kFloat64 : torch::kFloat32);
  const double scale = subject.start_scale > 0 ? subject.start_scale / subject.loaded.sampler.schedule[0] : 1;
  const Tensor noise = s.noise.empty() ? tensor_noise(parse_seeds(s.seeds), subject.sample_shape, state)
                                       : read_noise(s.noise, subject.sample_shape).to(state.device(), state.dtype());
  return scale == 1 ? noise : noise * scale;
}

Drawn draw_all(const Settings& s, const Subject& subject, const Tensor& all_noise, Progress& progress,
               CallTimes& evaluations) {
  const Sampler& sampler = subject.loaded.sampler;
  const auto begin = std::chrono::steady_clock::now();
  std::vector<Tensor> images, trajectories;
  for (const Tensor& noise : all_noise.split(static_cast<std::int64_t>(s.batch))) {
    const ConditionalDenoiser denoise = subject.denoiser(noise.size(0), progress, evaluations);
    std::vector<Tensor> states;
    const auto keep = [&](const Tensor& x) {
      if (!s.trajectory.empty()) states.push_back(x.to(torch::kCPU, torch::kFloat32));
    };
    keep(noise * sampler.schedule[0]);
    const auto result = draw(sampler, denoise, noise, [&](const Snapshot<Tensor>& step) { keep(step.x); });
    if (result.status != Status::complete)
      throw std::runtime_error("the samples are not finite: the network does not fit dtype " + s.network.dtype +
                               " or these noise levels");
    images.push_back((result.x * subject.end_scale).to(torch::kCPU, torch::kFloat32));
    if (!states.empty()) trajectories.push_back(torch::stack(states));
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return {torch::cat(images), trajectories.empty() ? Tensor() : torch::cat(trajectories, 1), seconds};
}

void check_picture(const Settings& s, const Subject& subject) {
  const std::vector<std::int64_t>& shape = subject.sample_shape;
  const bool shown = shape.size() == 3 && (shape[0] == 1 || shape[0] == 3);
  std::string extents;
  for (const std::int64_t extent : shape) extents += (extents.empty() ? "" : ", ") + std::to_string(extent);
  require(s.out.empty() || shown, "out", s.out.string(),
          "--npy only: samples [" + extents + "] are no pictures of 1 or 3 channels");
}

void run(const Settings& s) {
  require(!s.out.empty() || !s.npy.empty() || !s.trajectory.empty(), "the output", "missing",
          "one or more of --out, --npy, --trajectory");
  check_output("out", s.out, ".png");
  check_output("npy", s.npy, ".npy");
  check_output("trajectory", s.trajectory, ".npy");
  CallTimes evaluations, predictions;
  const Subject subject = s.network.described() ? subject_of_description(s) : subject_of_network(s, predictions);
  check_picture(s, subject);
  const Tensor noise = noise_of(s, subject);
  const std::int64_t count = noise.size(0), batch = static_cast<std::int64_t>(s.batch);
  require(subject.rows == 1 || count <= batch, "batch", s.batch,
          std::to_string(count) + " or more, the number of samples: a condition has rows for samples");
  const LoadedSampler& loaded = subject.loaded;
  const int per_call = subject.per_call, nfe = loaded.sampler.nfe(per_call);

  Progress progress("sampling", static_cast<double>(nfe * ((count + batch - 1) / batch)), "evaluations");
  const Drawn drawn = draw_all(s, subject, noise, progress, evaluations);
  progress.finish();
  const double low = subject.lowest_value, range = subject.highest_value - low;
  if (!s.out.empty()) write_png(s.out, picture((drawn.images - low) * (2 / range) - 1));
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
  return line.run(argc, argv, [&] {
    if (s.to_zero) s.schedule_settings.end = End::zero;
    run(s);
  });
}
