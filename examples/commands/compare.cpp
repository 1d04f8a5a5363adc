// compare: the same noise through several solvers at 5 evaluations and through 100, as one picture and a table; classes
// take turns.
//   compare --model fashion_mnist.safetensors --out compare.png
#include "support/command_line.hpp"
#include "support/image_grid.hpp"
#include "support/network.hpp"
#include "support/output.hpp"
#include "support/predictor_file.hpp"
#include "support/progress.hpp"
#include "support/seeds.hpp"

#include <fewstep/torch.hpp>

#include <torch/torch.h>
#include <CLI/CLI.hpp>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace fewstep;
using namespace fewstep::examples;
using torch::Tensor;

struct Candidate {
  std::string label;
  AnySolver<Tensor> solver;
  Schedule schedule;
  Options options = {};
  std::shared_ptr<const TensorGaussianStart> start = {};
};

void run(const std::filesystem::path& model, const std::vector<std::filesystem::path>& predictors,
         const std::filesystem::path& out, const std::string& seed_list) {
  const auto seeds = parse_seeds(seed_list);
  const auto network = load_unet(model);
  const UnetConfig& config = network->config();
  const Tensor unit_noise = tensor_noise(seeds, {config.img_channels, config.img_resolution, config.img_resolution});

  // Heun makes two evaluations a step: 50 steps are 100 evaluations. Last, because the others are measured against it.
  std::vector<Candidate> candidates{{"Euler (DDIM)", Euler{}, karras({.steps = 5})},
                                    {"DPM-Solver++", Dpmpp{.order = 3}, karras({.steps = 5})},
                                    {"iPNDM", Ipndm{.order = 3}, karras({.steps = 5})}};
  for (const auto& path : predictors) {
    const Learned one = read_learned(path, config, torch::kCPU);
    candidates.push_back({one.kind, one.solver, one.schedule, one.options, one.start});
  }
  candidates.push_back({"reference (Heun)", Heun{}, karras({.steps = 50})});
  int total = 0;
  for (auto& c : candidates) {
    const int nfe = evaluations(c.solver, c.schedule, c.options);
    c.label += ", " + std::to_string(nfe) + " evaluations";
    total += nfe;
  }

  Progress progress("sampling", total, "evaluations");
  Spent spent;
  Tensor labels;
  if (config.label_dim > 0) labels = class_rows(torch::arange(unit_noise.size(0)) % config.label_dim, config.label_dim);
  const TimedNetwork denoise(network, labels, progress, spent);
  std::vector<Tensor> results;
  std::vector<Panel> panels;
  for (const auto& c : candidates) {
    const auto drawn = [&](const auto& from) { return sample(c.solver, from, c.schedule, unit_noise, c.options); };
    const auto result =
        c.start ? drawn(with_analytic_first_step(denoise, c.start->denoiser(labels, 1))) : drawn(denoise);
    if (result.status != Status::complete) throw std::runtime_error(c.label + ": the samples are not finite");
    results.push_back(result.x.contiguous());
    const auto size = extents(result.x);
    panels.push_back(
        {c.label, grid(floats(results.back()),
                       {.batch = size[0], .channels = size[1], .height = size[2], .width = size[3], .scale = 2})});
  }
  progress.finish();
  write_png(out, side_by_side(panels));

  std::printf("%-40s rms distance to the reference\n", "");
  for (std::size_t i = 0; i + 1 < candidates.size(); ++i) {
    const double rms = (results[i] - results.back()).square().mean().sqrt().item<double>();
    std::printf("%-40s %.4f\n", candidates[i].label.c_str(), rms);
  }
  std::printf("picture: %s\n", out.string().c_str());
}

}  // namespace

int main(int argc, char** argv) {
  std::filesystem::path model, out;
  std::vector<std::filesystem::path> predictors;
  std::string seeds = "1000000-1000063";  // noise that nothing was fitted to (support/noise_numbers.hpp)
  CLI::App app{"Draws the same noise with several solvers, side by side."};
  plain_words(app);
  app.add_option("--model", model, "weights of the network (safetensors)")->required();
  app.add_option("--predictors", predictors, "trained predictors (.safetensors) and tables (.json), one column each")
      ->delimiter(',');
  app.add_option("--out", out, "the picture (.png)")->required();
  app.add_option("--seeds", seeds, "one image each, such as 0-63,70,80-90");
  finite_numbers(app);
  CLI11_PARSE(app, argc, argv);
  try {
    keep_freed_memory();
    check_output("out", out, ".png");
    run(model, predictors, out, seeds);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", first_line(error).c_str());
    return 1;
  }
}
