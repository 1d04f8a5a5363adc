// An analytic start that knows where the pictures of each class lie.
#pragma once

#include "unet_config.hpp"

#include <fewstep/errors.hpp>
#include <fewstep/io/safetensors.hpp>
#include <fewstep/torch/safetensors.hpp>

#include <torch/torch.h>

#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

namespace fewstep::examples {

/// What a network says of pictures that noise hides: that those of class k are N(means[k], variance).
struct GaussianStart {
  torch::Tensor means;  // [classes + 1, C, H, W]; the last of pictures of no class, the only one for a network without classes
  double variance = 0;  // of each number

  /// The exact denoiser of pictures with these rows [N, classes] (undefined: without), guided.
  auto denoiser(const torch::Tensor& rows, double guidance) const {
    torch::Tensor mean = means.narrow(0, means.size(0) - 1, 1);
    if (rows.defined()) {
      const torch::Tensor shares = torch::cat({rows * guidance, 1 - guidance * rows.sum(1, true)}, 1).to(means.options());
      mean = shares.mm(means.flatten(1)).reshape({rows.size(0), means.size(1), means.size(2), means.size(3)});
    }
    return [mean, v = variance](const torch::Tensor& x, const torch::Tensor& sigma) -> torch::Tensor {
      const torch::Tensor m = (mean.size(0) > 1 ? mean.narrow(0, 0, x.size(0)) : mean).to(x.options());
      return m + (x - m) * (v / (v + sigma.square())).to(x.dtype());
    };
  }
};

inline void write_gaussian_start(const std::filesystem::path& path, const GaussianStart& start) {
  io::save_tensors(path, {{{"means", start.means}, {"variance", torch::tensor({start.variance}, torch::kFloat64)}}, {{"format", "fewstep gaussian start 1"}}});
}

/// @throws std::runtime_error, one line: the file and what is wrong with it, that it is for other pictures included.
inline GaussianStart read_gaussian_start(const std::filesystem::path& path, const UnetConfig& config, torch::Device device) {
  const io::TensorFile file = io::load_tensors(path);
  const auto fail = [&](const std::string& text) { throw std::runtime_error(path.string() + ": " + text); };
  const auto means = file.tensors.find("means"), variance = file.tensors.find("variance");
  if (means == file.tensors.end() || variance == file.tensors.end()) fail("not a start of gaussian_start (it lacks means or variance)");
  const std::vector<std::int64_t> shape{config.label_dim + 1, config.img_channels, config.img_resolution, config.img_resolution};
  if (means->second.sizes() != shape) fail("its means are for another model's pictures or classes");
  if (variance->second.numel() != 1 || !(variance->second.item<double>() >= 0)) fail("its variance is not one number from 0");
  return {means->second.to(device, torch::kFloat32), variance->second.item<double>()};
}

}  // namespace fewstep::examples
