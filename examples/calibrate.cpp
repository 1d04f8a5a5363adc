// Fits the numbers of a solver to a network: no gradients, some hundred trajectories.
//   calibrate --model fashion_mnist.safetensors --solver ipndm --order 3 --steps 6 --out table_5.json
#include "support/network.hpp"
#include "support/progress.hpp"

#include <fewstep/eigen/calibrate.hpp>
#include <fewstep/io/table_file.hpp>
#include <fewstep/torch.hpp>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <numeric>
#include <string>
#include <vector>

namespace {

using namespace fewstep;
using namespace fewstep::examples;
using torch::Tensor;

struct Settings {
  std::filesystem::path model, out;
  std::string solver = "ipndm", schedule = "karras", device = "cpu";
  SolverSettings solver_settings;
  ScheduleSettings schedule_settings{.steps = 6};
  CalibrationOptions options;
  std::int64_t images = 320, seed = 0;
  bool bf16 = false, without_afs = false;
};

void run(Settings s, const std::string& command) {
  const auto network = load_unet(s.model);
  const auto device = parse_device(s.device);
  network->to(device);
  if (s.bf16) network->compute_type = torch::kBFloat16;
  const UnetConfig& c = network->config();
  std::vector<std::uint64_t> seeds(static_cast<std::size_t>(s.images));
  std::iota(seeds.begin(), seeds.end(), static_cast<std::uint64_t>(s.seed * 1'000'000'000));
  const Tensor noise = tensor_noise(seeds, {c.img_channels, c.img_resolution, c.img_resolution}, torch::TensorOptions(device));
  Tensor labels;
  if (c.label_dim > 0) labels = class_rows(torch::arange(s.images) % c.label_dim, c.label_dim).to(device);
  s.options.analytic_first_step = !s.without_afs;
  const Schedule schedule = make_schedule(s.schedule, s.schedule_settings);
  const Table start = tabulate(make_solver<double>(s.solver, s.solver_settings), schedule);

  const auto begin = std::chrono::steady_clock::now();
  Spent spent;
  const auto denoise = [&](const Tensor& x, const Tensor& sigma) {
    const Timer timer(x.is_cuda(), spent);
    // In parts that fit the processor's cache.
    std::vector<Tensor> parts;
    for (std::int64_t at = 0; at < x.size(0); at += 64) {
      const std::int64_t count = (std::min)(std::int64_t{64}, x.size(0) - at);
      parts.push_back(network->forward(x.narrow(0, at, count), sigma.dim() == 0 ? sigma : sigma.narrow(0, at, count),
                                       labels.defined() ? labels.narrow(0, at, count) : labels).denoised);
    }
    return torch::cat(parts);
  };
  const double root = std::sqrt(static_cast<double>(noise[0].numel()));
  s.options.report = [&](const std::string& stage, double distance) {
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    std::fprintf(stderr, "%6.0f s  %d evaluations a trajectory  rms on held-out trajectories %.4f  next: %s\n", seconds.count(), spent.calls, distance / root,
                 stage.c_str());
    return true;
  };
  const torch::NoGradGuard no_grad;
  const Calibration made = calibrate(denoise, start, std::vector<Tensor>{noise}, s.options);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  char text[200];
  std::snprintf(text, sizeof text, "%.4f at first, %.4f with steps fitted, %.4f in the end", made.before / root, made.steps_fitted / root, made.after / root);
  io::write_table(s.out, {made.table, s.options.analytic_first_step,
                          {{"command", command}, {"held_out_rms", text}, {"evaluations_per_trajectory", std::to_string(spent.calls)}}});
  std::printf("rms distance to the teacher on held-out trajectories: %s\n%d evaluations a trajectory, of them %d the teacher's; %.0f s\nwrote %s\n", text,
              spent.calls, made.teacher_evaluations, seconds.count(), s.out.string().c_str());
}

}  // namespace

int main(int argc, char** argv) {
  Settings s;
  s.solver_settings.order = 3;
  CLI::App app{"Fits a solver's numbers to a network."};
  app.option_defaults()->always_capture_default();
  app.failure_message([](const CLI::App*, const CLI::Error& error) { return "error: " + std::string(error.what()) + "\n"; });
  app.add_option("--model", s.model, "weights of the network (safetensors)")->required();
  app.add_option("--out", s.out, "table to write (.json)")->required();
  app.add_option("--solver", s.solver, "to start from");
  app.add_option("--order", s.solver_settings.order, "of that solver, where it has several");
  app.add_option("--steps", s.schedule_settings.steps, "of the table; with the analytic first step one more than evaluations")->check(CLI::Range(1, 100));
  app.add_option("--schedule", s.schedule, "karras, log_uniform, time_uniform");
  app.add_option("--rho", s.schedule_settings.rho, "the schedule's exponent");
  app.add_flag("--without-afs", s.without_afs, "evaluate the first slope");
  app.add_option("--images", s.images, "trajectories")->check(CLI::Range(4, 65'536));
  app.add_option("--held-out", s.options.held_out, "share of trajectories that decide")->check(CLI::Range(0.01, 0.99));
  app.add_option("--iterations", s.options.iterations, "of Gauss and Newton; 0: the steps alone")->check(CLI::Range(0, 1'000));
  app.add_option("--history", s.options.history, "slopes that a step may use at most; 0: all");
  app.add_option("--ridge", s.options.ridge, "of the least squares")->check(CLI::NonNegativeNumber);
  app.add_option("--teacher-steps", s.options.teacher_steps, "of Heun's method in each step")->check(CLI::Range(1, 1'000));
  app.add_option("--seed", s.seed, "of the noise")->check(CLI::Range(0, 1'000'000));
  app.add_option("--device", s.device, "cpu, cuda, cuda:1, ...");
  app.add_flag("--bf16", s.bf16, "the network computes in bfloat16");
  CLI11_PARSE(app, argc, argv);
  try {
    keep_freed_memory();
    std::string command = "calibrate";
    for (int i = 1; i < argc; ++i) command += std::string(" ") + argv[i];
    run(s, command);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", first_line(error).c_str());
    return 1;
  }
}
