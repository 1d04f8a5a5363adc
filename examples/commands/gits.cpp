// Prints a schedule for --levels, fitted to a network's trajectories (GITS): levels are close where trajectories bend.
//   gits --model fashion_mnist.safetensors --steps 5
#include "support/command_line.hpp"
#include "support/noise_numbers.hpp"
#include "support/progress.hpp"
#include "support/sampler.hpp"
#include "support/solver_list.hpp"
#include "support/subject.hpp"

#include <fewstep/fitting/gits.hpp>

#include <torch/utils.h>

#include <cstddef>
#include <cstdio>
#include <string>

namespace {

using namespace fewstep;
using namespace fewstep::examples;
using torch::Tensor;

struct Settings {
  NetworkOptions network;
  GitsOptions options;
  std::string student = "ipndm", cost = "deviation";
  int teacher_steps = 60, images = 256;
};

void add_options(CommandLine& line, Settings& s) {
  s.network.add_model(line);
  line.option("--steps", s.options.steps, "steps of the schedule").range(1, 1'000);
  line.option("--cost", s.cost, "cost of an Euler step: deviation, l1, l2");
  line.option("--coefficient", s.options.coefficient, "weight of later steps relative to earlier ones").positive();
  line.flag("--afs", s.options.analytic_first_step, "for a student with an analytic first step: one more step");
  line.option("--student", s.student, "solver for which the level after the analytic first step is chosen")
      .check(unknown_solver);
  line.option("--teacher-steps", s.teacher_steps, "steps of the teacher, iPNDM on Karras levels").range(2, 10'000);
  line.option("--images", s.images, "trajectories").range(1, 65'536);
  s.network.add_device(line);
}

void run(Settings s) {
  s.options.cost = parse<GitsCost>("cost", s.cost);
  const Subject subject(s.network);
  const Schedule fine = subject.karras(s.teacher_steps);
  const Tensor x = subject.noise(training_numbers(0, 0, s.images)) * fine[0];
  Progress progress("teacher", s.teacher_steps, "evaluations");
  CallTimes times;
  const ConditionalDenoiser denoise = subject.denoiser({}, 0, s.images, timed(progress, times));
  const torch::NoGradGuard no_grad;
  const Schedule levels = gits(samples_solver("ipndm"), denoise, fine, x, samples_solver(s.student), s.options);
  progress.finish();
  for (std::size_t i = 0; i < levels.size(); ++i) std::printf("%s%.6g", i > 0 ? "," : "", levels[i]);
  std::printf("\n");
}

}  // namespace

int main(int argc, char** argv) {
  Settings s;
  CommandLine line("gits", "Computes noise levels for a network: where its trajectories bend, levels are close.");
  add_options(line, s);
  return line.run(argc, argv, [&] { run(s); });
}
