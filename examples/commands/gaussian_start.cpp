// An analytic start from a network's own first answers: where noise hides all but the class, it answers as if the
// pictures of each were a Gaussian. Their mean is that Gaussian's; along a principal direction of them it keeps of x
// the share that the variance has in the noisy one.
//   gaussian_start --model fashion_mnist.safetensors --out gaussian_start.safetensors
// for calibrate and evaluate. No pictures are needed.
#include "support/command_line.hpp"
#include "support/condition.hpp"
#include "support/network.hpp"
#include "support/noise_numbers.hpp"
#include "support/output.hpp"
#include "support/progress.hpp"

#include <fewstep/io/gaussian_start_file.hpp>
#include <fewstep/torch.hpp>
#include <fewstep/torch/gaussian_start.hpp>

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
  std::int64_t images = 256, rank = 6, seed = 1;
  CLI::App app{"Finds the Gaussians that a network takes each class for where noise hides the rest."};
  plain_words(app);
  app.add_option("--model", model, "weights of the network (safetensors)")->required();
  app.add_option("--out", out, "the start to write (.safetensors)")->required();
  app.add_option("--sigma", sigma, "noise level, the schedules' first")->check(CLI::Range(1e-3, 1e6));
  app.add_option("--images", images, "evaluations for each class, and for none")->check(CLI::Range(2, 65'536));
  app.add_option("--rank", rank, "directions for each of them, fewer than images; 0: one variance for all")
      ->check(CLI::Range(0, 1'000));
  app.add_option("--seed", seed, "of the noise")->check(CLI::Range(0, 1'000'000));
  app.add_option("--device", device, "cpu, cuda, cuda:1, ...");
  finite_numbers(app);
  CLI11_PARSE(app, argc, argv);
  try {
    keep_freed_memory();
    check_output("out", out, ".safetensors", model);
    const torch::NoGradGuard no_grad;
    const auto network = load_unet(model);
    network->to(parse_device(device));
    const UnetConfig& c = network->config();
    require(rank < images && rank <= c.img_channels * c.img_resolution * c.img_resolution, "rank", rank,
            "fewer than --images, at most a picture's numbers");
    const std::int64_t classes = c.label_dim + 1, unseen = (images + 7) / 8,
                       all = images + unseen;  // the last are to say how good it is
    const Tensor z = noise_of(training_numbers(seed, 0, all), c, parse_device(device)) * sigma,
                 x = z.flatten(1).narrow(0, 0, images).to(torch::kFloat64);
    Progress bar("network", static_cast<double>(classes * all), "evaluations");
    std::int64_t done = 0;
    const auto answers = [&](const Tensor& row) {
      std::vector<Tensor> said;
      for (const Tensor& part : z.split(64)) {
        const Tensor level =
            torch::full({part.size(0)}, sigma, torch::TensorOptions(part.device()).dtype(torch::kFloat64));
        said.push_back(network->forward(part, level, row.defined() ? row.expand({part.size(0), -1}) : row)
                           .denoised.to(torch::kFloat64));
        bar.update(static_cast<double>(done += part.size(0)));
      }
      return torch::cat(said);
    };
    // Of N(mean, v), D(x) = mean + share (x - mean), share = v / (v + sigma^2).
    const auto variance_of = [&](const Tensor& share) {
      return sigma * sigma * share.clamp(0, 0.5) / (1 - share.clamp(0, 0.5));
    };
    std::vector<Tensor> means, directions, variances, held_out;
    double along = 0, within = 0;
    for (std::int64_t k = 0; k < classes; ++k) {
      Tensor row;
      if (c.label_dim > 0)
        row = k < c.label_dim ? class_rows(torch::full({1}, k), c.label_dim) : torch::zeros({1, c.label_dim});
      const Tensor said = answers(row), fitted = said.narrow(0, 0, images).flatten(1), mean = fitted.mean(0);
      const Tensor v = std::get<2>(torch::linalg_svd(fitted - mean, false)).narrow(0, 0, rank);
      const Tensor left = x - x.mean(0), told = left.mm(v.t()), kept = (fitted - mean).mm(v.t());
      const Tensor share = (told * kept).sum(0) / told.square().sum(0);
      along += ((fitted - mean) * left).sum().item<double>() - (told * kept).sum().item<double>();
      within += left.square().sum().item<double>() - told.square().sum().item<double>();
      variances.push_back(variance_of(share).to(torch::kCPU));
      directions.push_back(
          v.reshape({rank, c.img_channels, c.img_resolution, c.img_resolution}).to(torch::kCPU, torch::kFloat32));
      // The noise that was drawn has a mean of its own, of which the answers have kept a share.
      means.push_back(
          (mean - (v.mv(x.mean(0)) * share).matmul(v)).reshape(z.sizes().slice(1)).to(torch::kCPU, torch::kFloat32));
      held_out.push_back(said.narrow(0, images, unseen).to(torch::kCPU));
    }
    bar.finish();
    const TensorGaussianStart start{torch::stack(means), torch::stack(directions), torch::stack(variances),
                                    variance_of(torch::tensor(along / within, torch::kFloat64)).item<double>()};
    double whole = 0, about = 0, beyond = 0;
    const Tensor fresh = z.narrow(0, images, unseen).to(torch::kCPU);
    for (std::int64_t k = 0; k < classes; ++k) {
      const Tensor& said = held_out[static_cast<std::size_t>(k)];
      const Tensor row =
          k < c.label_dim ? class_rows(torch::full({unseen}, k), c.label_dim) : torch::zeros({unseen, c.label_dim});
      whole += said.square().sum().item<double>();
      about += (said - start.means[k]).square().sum().item<double>();
      beyond +=
          (said - start.denoiser(c.label_dim > 0 ? row : Tensor{}, 1)(fresh, torch::tensor(sigma, torch::kFloat64)))
              .square()
              .sum()
              .item<double>();
    }
    io::write_gaussian_start(out, start.values());
    const double numbers = static_cast<double>(classes * fresh.numel());
    std::printf(
        "at level %g the network's answers are %.4f from 0, where the usual analytic start has them, %.4f from their "
        "mean and %.4f from this start (rms, unseen noise)\nwrote %s\n",
        sigma, std::sqrt(whole / numbers), std::sqrt(about / numbers), std::sqrt(beyond / numbers), out.c_str());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", first_line(error).c_str());
    return 1;
  }
}
