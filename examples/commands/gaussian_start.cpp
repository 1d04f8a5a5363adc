// Fits a Gaussian start to a network: a Gaussian for each class, such that its exact denoiser equals the network's
// output at high noise, where all but the class is hidden. Its mean is the mean of the outputs, its directions are
// their principal directions, and the variance v along a direction follows from the factor v / (v + sigma^2) by which
// outputs vary less than inputs. No images are needed.
//   gaussian_start --model fashion_mnist.safetensors --out gaussian_start.safetensors
// writes a file for calibrate and evaluate.
#include "support/command_line.hpp"
#include "support/network.hpp"
#include "support/noise_numbers.hpp"
#include "support/output.hpp"
#include "support/predictor_file.hpp"
#include "support/progress.hpp"
#include "support/signals.hpp"

#include <fewstep/errors.hpp>
#include <fewstep/torch/gaussian_start.hpp>

#include <torch/utils.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <utility>
#include <vector>

namespace {

using namespace fewstep;
using namespace fewstep::examples;
using torch::Tensor;

struct Settings {
  NetworkOptions network;
  std::filesystem::path out;
  double sigma = 80;
  std::int64_t images = 256, rank = 6, seed = 1;
};

void add_options(CommandLine& line, Settings& s) {
  s.network.add_model(line, false);
  line.option("--out", s.out, "Gaussian start to write (.safetensors)").required();
  line.option("--sigma", s.sigma, "noise level, the first of the schedules").range(1e-3, 1e6);
  line.option("--images", s.images, "evaluations per class, and for unconditional samples").range(2, 65'536);
  line.option("--rank", s.rank, "directions per class, fewer than --images; 0: the same variance along all directions")
      .range(0, 1'000);
  line.option("--seed", s.seed, "seed of the noise").range(0, 1'000'000);
  s.network.add_device(line);
}

/// The label of entry k of a Gaussian start, [1, classes]: class k, or zeros for the unconditional entry.
Tensor label_of(std::int64_t k, const ImageConfig& config) {
  if (config.label_dim == 0) return {};
  if (k == config.label_dim) return torch::zeros({1, config.label_dim});
  return class_rows(torch::full({1}, k), config.label_dim);
}

/// The network's outputs for noisy inputs, entry by entry.
class Outputs {
 public:
  Outputs(std::shared_ptr<const ImageDenoiser> network, Tensor inputs, double sigma)
      : network_(std::move(network)),
        inputs_(std::move(inputs)),
        sigma_(sigma),
        progress_("network", static_cast<double>((network_->config().label_dim + 1) * inputs_.size(0)), "evaluations") {
  }

  /// [inputs, C, H, W] in float64
  Tensor operator()(const Tensor& label) {
    constexpr std::int64_t batch = 64;
    std::vector<Tensor> all;
    for (const Tensor& part : inputs_.split(batch)) {
      throw_if_interrupted();
      const Tensor level =
          torch::full({part.size(0)}, sigma_, torch::TensorOptions(part.device()).dtype(torch::kFloat64));
      const Tensor labels = label.defined() ? label.expand({part.size(0), -1}) : label;
      all.push_back(network_->forward(part, level, labels).denoised.to(torch::kFloat64));
      progress_.update(static_cast<double>(done_ += part.size(0)));
    }
    return torch::cat(all);
  }

 private:
  std::shared_ptr<const ImageDenoiser> network_;
  Tensor inputs_;
  double sigma_;
  Progress progress_;
  std::int64_t done_ = 0;
};

/// Collects the entries of a Gaussian start.
class Fit {
 public:
  /// @param inputs  [images, C, H, W]: noise times sigma
  Fit(const Tensor& inputs, double sigma, std::int64_t rank)
      : x_(inputs.flatten(1).to(torch::kFloat64)), shape_(inputs.sizes().slice(1).vec()), sigma_(sigma), rank_(rank) {}

  /// @param outputs  of the network for the inputs, [images, C, H, W] in float64
  void add(const Tensor& outputs) {
    const Tensor y = outputs.flatten(1), mean = y.mean(0);
    const Tensor v = std::get<2>(torch::linalg_svd(y - mean, false)).narrow(0, 0, rank_);
    const Tensor centred = x_ - x_.mean(0), x_along = centred.mm(v.t()), y_along = (y - mean).mm(v.t());
    const Tensor factor = (x_along * y_along).sum(0) / x_along.square().sum(0);
    rest_product_ += ((y - mean) * centred).sum().item<double>() - (x_along * y_along).sum().item<double>();
    rest_square_ += centred.square().sum().item<double>() - x_along.square().sum().item<double>();
    variances_.push_back(variance_of(factor).to(torch::kCPU));
    std::vector<std::int64_t> ranked = shape_;
    ranked.insert(ranked.begin(), rank_);
    directions_.push_back(v.reshape(ranked).to(torch::kCPU, torch::kFloat32));
    // The inputs' own mean is not 0; the part of it that the outputs have kept is subtracted.
    means_.push_back((mean - (v.mv(x_.mean(0)) * factor).matmul(v)).reshape(shape_).to(torch::kCPU, torch::kFloat32));
  }

  TensorGaussianStart result() const {
    const Tensor factor = torch::tensor(rest_product_ / rest_square_, torch::kFloat64);
    return {torch::stack(means_), torch::stack(directions_), torch::stack(variances_),
            variance_of(factor).item<double>()};
  }

 private:
  /// The variance v for which the denoiser of N(mean, v), D(x) = mean + v / (v + sigma^2) (x - mean), has this factor.
  Tensor variance_of(const Tensor& factor) const {
    const Tensor f = factor.clamp(0, 0.5);
    return sigma_ * sigma_ * f / (1 - f);
  }

  Tensor x_;
  std::vector<std::int64_t> shape_;
  double sigma_;
  std::int64_t rank_;
  std::vector<Tensor> means_, directions_, variances_;
  double rest_product_ = 0, rest_square_ = 0;  // along all other directions, summed over entries
};

/// Prints RMS distances of the network's outputs on held-out noise.
/// @param inputs   [N, C, H, W]
/// @param outputs  for each entry [N, C, H, W]
void print_distances(const TensorGaussianStart& start, const Tensor& inputs, const std::vector<Tensor>& outputs,
                     double sigma, const ImageConfig& config) {
  double to_zero = 0, to_mean = 0, to_start = 0;
  for (std::size_t k = 0; k < outputs.size(); ++k) {
    const auto entry = static_cast<std::int64_t>(k);
    const Tensor label = label_of(entry, config), labels = label.defined() ? label.expand({inputs.size(0), -1}) : label;
    const Tensor denoised = start.denoiser(labels, 1)(inputs, torch::tensor(sigma, torch::kFloat64));
    to_zero += outputs[k].square().sum().item<double>();
    to_mean += (outputs[k] - start.means[entry]).square().sum().item<double>();
    to_start += (outputs[k] - denoised).square().sum().item<double>();
  }
  const double numbers = static_cast<double>(outputs.size()) * static_cast<double>(inputs.numel());
  const auto rms = [&](double sum) { return std::sqrt(sum / numbers); };
  std::printf(
      "RMS distance of the network's outputs at noise level %g, on held-out noise (lower is better)\n"
      "to 0, near the usual analytic first step  %.4f\n"
      "to the mean of their class                %.4f\n"
      "to this Gaussian start                    %.4f\n",
      sigma, rms(to_zero), rms(to_mean), rms(to_start));
}

void run(const Settings& s) {
  check_output("out", s.out, ".safetensors", s.network.model);
  const torch::NoGradGuard no_grad;
  const auto network = load_network(s.network);
  const ImageConfig& config = network->config();
  require(s.rank < s.images && s.rank <= config.img_channels * config.img_resolution * config.img_resolution, "rank",
          s.rank, "fewer than --images, and at most the numbers of an image");
  const std::int64_t held_out = (s.images + 7) / 8, all = s.images + held_out;
  const Tensor z = noise_of(training_numbers(s.seed, 0, all), config, parse_device(s.network.device)) * s.sigma;
  Outputs outputs_for(network, z, s.sigma);
  Fit fit(z.narrow(0, 0, s.images), s.sigma, s.rank);
  std::vector<Tensor> held_out_outputs;
  for (std::int64_t k = 0; k <= config.label_dim; ++k) {
    const Tensor outputs = outputs_for(label_of(k, config));
    fit.add(outputs.narrow(0, 0, s.images));
    held_out_outputs.push_back(outputs.narrow(0, s.images, held_out).to(torch::kCPU));
  }
  const TensorGaussianStart start = fit.result();
  write_gaussian_start(s.out, start);
  print_distances(start, z.narrow(0, s.images, held_out).to(torch::kCPU), held_out_outputs, s.sigma, config);
  std::printf("wrote %s\n", s.out.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  Settings s;
  CommandLine line("gaussian_start", "Fits a Gaussian to a network's outputs for each class at high noise.");
  add_options(line, s);
  return line.run(argc, argv, [&] { run(s); });
}
