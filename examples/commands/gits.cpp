// Noise levels for a network from its own trajectories (GITS), to be given to --levels.
//   gits --model fashion_mnist.safetensors --steps 5
#include "support/command_line.hpp"
#include "support/condition.hpp"
#include "support/network.hpp"
#include "support/noise_numbers.hpp"
#include "support/progress.hpp"
#include "support/solver_name.hpp"

#include <fewstep/fitting/gits.hpp>
#include <fewstep/torch.hpp>

#include <CLI/CLI.hpp>

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>

int main(int argc, char** argv) {
  using namespace fewstep;
  using namespace fewstep::examples;
  using torch::Tensor;
  std::filesystem::path model;
  GitsOptions options;
  std::string student = "ipndm", cost = "deviation", device = "cpu";
  int teacher_steps = 60, images = 256;
  bool bf16 = false;
  CLI::App app{"Computes noise levels for a network: where its trajectories bend, levels are close."};
  plain_words(app);
  app.add_option("--model", model, "weights of the network (safetensors)")->required();
  app.add_option("--steps", options.steps, "of the schedule")->check(CLI::Range(1, 1'000));
  app.add_option("--cost", cost, "deviation, l1, l2")->check(CLI::IsMember({"deviation", "l1", "l2"}));
  app.add_option("--coefficient", options.coefficient, "what later steps count against earlier ones")
      ->check(CLI::PositiveNumber);
  app.add_flag("--afs", options.analytic_first_step, "for a student with an analytic first step: one step more");
  app.add_option("--student", student, "the solver that the level for the analytic step is chosen with")
      ->check(unknown_solver);
  app.add_option("--teacher-steps", teacher_steps, "of iPNDM on Karras levels")->check(CLI::Range(2, 10'000));
  app.add_option("--images", images, "trajectories")->check(CLI::Range(1, 65'536));
  app.add_option("--device", device, "cpu, cuda, cuda:1, ...");
  app.add_flag("--bf16", bf16, "the network computes in bfloat16");
  finite_numbers(app);
  CLI11_PARSE(app, argc, argv);
  try {
    keep_freed_memory();
    options.cost = cost == "l1" ? GitsCost::l1 : cost == "l2" ? GitsCost::l2 : GitsCost::deviation;
    const auto network = load_unet(model);
    network->to(parse_device(device));
    if (bf16) network->compute_type = torch::kBFloat16;
    const UnetConfig& c = network->config();
    const Schedule fine = karras({.steps = teacher_steps});
    const Tensor x = noise_of(training_numbers(0, 0, images), c, parse_device(device)) * fine[0];
    Progress bar("teacher", teacher_steps, "evaluations");
    Spent spent;
    const TimedNetwork denoise(network, Condition{}.labels(c, 0, images), bar, spent);
    const torch::NoGradGuard no_grad;
    const Schedule levels = gits(Ipndm{}, denoise, fine, x, make_solver<Tensor>(student), options);
    bar.finish();
    for (std::size_t i = 0; i < levels.size(); ++i) std::printf("%s%.6g", i > 0 ? "," : "", levels[i]);
    std::printf("\n");
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", first_line(error).c_str());
    return 1;
  }
}
