// An analytic start from a network's own first answers: where noise hides all but the class, it says the same of every sample but for little.
//   gaussian_start --model fashion_mnist.safetensors --out gaussian_start.safetensors
// for calibrate and evaluate. No pictures are needed.
#include "support/condition.hpp"
#include "support/gaussian_start.hpp"
#include "support/network.hpp"
#include "support/noise_numbers.hpp"
#include "support/progress.hpp"

#include <fewstep/torch.hpp>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>
#include <vector>

int main(int argc, char** argv) {
  using namespace fewstep;
  using namespace fewstep::examples;
  using torch::Tensor;
  std::filesystem::path model, out;
  std::string device = "cpu";
  double sigma = 80;
  std::int64_t images = 64, seed = 1;
  CLI::App app{"Finds the Gaussians that a network takes each class for where noise hides the rest."};
  app.option_defaults()->always_capture_default();
  app.failure_message([](const CLI::App*, const CLI::Error& error) { return "error: " + std::string(error.what()) + "\n"; });
  app.add_option("--model", model, "weights of the network (safetensors)")->required();
  app.add_option("--out", out, "the start to write (.safetensors)")->required();
  app.add_option("--sigma", sigma, "noise level, the schedules' first")->check(CLI::Range(1e-3, 1e6));
  app.add_option("--images", images, "evaluations for each class, and for none")->check(CLI::Range(2, 65'536));
  app.add_option("--seed", seed, "of the noise")->check(CLI::Range(0, 1'000'000));
  app.add_option("--device", device, "cpu, cuda, cuda:1, ...");
  CLI11_PARSE(app, argc, argv);
  try {
    keep_freed_memory();
    const torch::NoGradGuard no_grad;
    const auto network = load_unet(model);
    network->to(parse_device(device));
    const UnetConfig& c = network->config();
    const Tensor x = noise_of(training_numbers(seed, 0, images), c, parse_device(device)) * sigma;
    const Tensor level = torch::full({images}, sigma, torch::TensorOptions(parse_device(device)).dtype(torch::kFloat64));
    Progress bar("network", static_cast<double>((c.label_dim + 1) * images), "evaluations");
    std::vector<Tensor> means;
    double along = 0, about = 0, whole = 0;
    for (std::int64_t k = 0; k <= c.label_dim; ++k) {
      Tensor rows;
      if (c.label_dim > 0) rows = k < c.label_dim ? class_rows(torch::full({images}, k), c.label_dim) : torch::zeros({images, c.label_dim});
      const Tensor said = network->forward(x, level, rows).denoised.to(torch::kFloat64);
      const Tensor mean = said.mean(0);
      along += ((said - mean) * x).sum().item<double>();
      about += (said - mean).square().sum().item<double>();
      whole += said.square().sum().item<double>();
      means.push_back(mean.to(torch::kCPU, torch::kFloat32));
      bar.update(static_cast<double>((k + 1) * images));
    }
    bar.finish();
    // Of N(mean, v), D(x) = mean + share (x - mean), share = v / (v + sigma^2).
    const double count = static_cast<double>(c.label_dim + 1);
    const double share = std::clamp(along / (count * x.square().sum().item<double>()), 0.0, 0.5);
    write_gaussian_start(out, {torch::stack(means), sigma * sigma * share / (1 - share)});
    const double numbers = count * static_cast<double>(x.numel());
    std::printf("at level %g the network's answers are %.4f from 0, where the usual analytic start has them, and %.4f from their mean (rms)\nwrote %s\n", sigma,
                std::sqrt(whole / numbers), std::sqrt(about / numbers), out.c_str());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", first_line(error).c_str());
    return 1;
  }
}
