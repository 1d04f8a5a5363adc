// An analytic start that knows where the pictures of each class lie.
#pragma once

#include "unet_config.hpp"

#include <fewstep/errors.hpp>
#include <fewstep/io/safetensors.hpp>
#include <fewstep/io/table_file.hpp>
#include <fewstep/torch/safetensors.hpp>

#include <torch/torch.h>

#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

namespace fewstep::examples {

/// What a network says of pictures that noise hides: that those of class k are N(means[k], covariance), whose
/// covariance has variances[k] along some orthonormal directions[k], and `variance` along all others.
struct GaussianStart {
  torch::Tensor
      means;  // [classes + 1, C, H, W]; the last of pictures of no class, the only one for a network without classes
  torch::Tensor directions;  // [classes + 1, R, C, H, W]
  torch::Tensor variances;   // [classes + 1, R], float64
  double variance = 0;

  /// The exact denoiser of pictures with these rows [N, classes] (undefined: without), guided: with V the directions,
  ///   D(x) = mean + (s + V' (S - s) V) (x - mean),   of a variance v the share v / (v + sigma^2): s of the others, S
  ///   of these.
  auto denoiser(const torch::Tensor& rows, double guidance) const {
    const torch::Tensor m = means.flatten(1), v = directions.flatten(0, 1).flatten(1);
    const std::int64_t classes = means.size(0), rank = directions.size(1);
    torch::Tensor weights = torch::cat({torch::zeros({1, classes - 1}), torch::ones({1, 1})}, 1).to(m.options());
    if (rows.defined()) weights = torch::cat({rows * guidance, 1 - guidance * rows.sum(1, true)}, 1).to(m.options());
    const torch::Tensor mean = weights.mm(m), spread = weights.repeat_interleave(rank, 1);
    const torch::Tensor at_means = directions.flatten(2).matmul(m.unsqueeze(2)).flatten();
    return [=, rest = variance, along = variances.flatten()](const torch::Tensor& x,
                                                             const torch::Tensor& sigma) -> torch::Tensor {
      const auto of = [&](const torch::Tensor& t) {
        return (t.size(0) > 1 ? t.narrow(0, 0, x.size(0)) : t).to(x.options());
      };
      const torch::Tensor noise = sigma.square(), s = rest / (rest + noise), flat = x.flatten(1), from = of(mean);
      const torch::Tensor shares = of(spread) * (along / (along + noise) - s).to(x.options());
      const torch::Tensor coordinates = (flat.mm(v.to(x.options()).t()) - at_means.to(x.options())) * shares;
      return torch::addmm(from + (flat - from) * s.to(x.options()), coordinates, v.to(x.options())).reshape(x.sizes());
    };
  }
};

inline constexpr const char* gaussian_start_format = "fewstep gaussian start 1";

/// Directions in half precision: what they add to an answer is small.
inline void write_gaussian_start(const std::filesystem::path& path, const GaussianStart& start) {
  io::save_tensors(path, {{{"means", start.means},
                           {"directions", start.directions.to(torch::kFloat16)},
                           {"variances", start.variances},
                           {"variance", torch::tensor({start.variance}, torch::kFloat64)}},
                          {{"format", gaussian_start_format}}});
}

/// A file without directions has none.
/// @throws std::runtime_error, one line: the file and what is wrong with it, that it is for other pictures included.
inline GaussianStart read_gaussian_start(const std::filesystem::path& path, const UnetConfig& config,
                                         torch::Device device) {
  const io::TensorFile file = io::load_tensors(path);
  const auto fail = [&](const std::string& text) { throw std::runtime_error(path.string() + ": " + text); };
  const auto format = file.metadata.find("format");
  try {
    io::detail::check_format(format == file.metadata.end() ? "" : format->second, gaussian_start_format,
                             "a start of gaussian_start");
  } catch (const std::exception& error) {
    fail(error.what());
  }
  const auto means = file.tensors.find("means"), variance = file.tensors.find("variance");
  if (means == file.tensors.end() || variance == file.tensors.end())
    fail("not a start of gaussian_start (it lacks means or variance)");
  const std::vector<std::int64_t> shape{config.label_dim + 1, config.img_channels, config.img_resolution,
                                        config.img_resolution};
  if (means->second.sizes() != shape) fail("its means are for another model's pictures or classes");
  const auto none_below_0 = [](const torch::Tensor& t) { return t.ge(0).logical_and(t.isfinite()).all().item<bool>(); };
  if (variance->second.numel() != 1 || !none_below_0(variance->second)) fail("its variance is not one number from 0");
  if (!means->second.isfinite().all().item<bool>()) fail("its means are not finite");
  GaussianStart start{means->second.to(device, torch::kFloat32),
                      torch::empty({shape[0], 0, shape[1], shape[2], shape[3]}, device),
                      torch::empty({shape[0], 0}, torch::TensorOptions(device).dtype(torch::kFloat64)),
                      variance->second.item<double>()};
  const auto directions = file.tensors.find("directions"), variances = file.tensors.find("variances");
  if (directions == file.tensors.end() && variances == file.tensors.end()) return start;
  if (directions == file.tensors.end() || variances == file.tensors.end())
    fail("has one of directions and variances without the other");
  start.directions = directions->second.to(device, torch::kFloat32);
  start.variances = variances->second.to(device, torch::kFloat64);
  std::vector<std::int64_t> expected = shape;
  expected.insert(expected.begin() + 1, start.directions.dim() == 5 ? start.directions.size(1) : 1);
  if (start.directions.sizes() != expected) fail("its directions are for another model's pictures or classes");
  if (!start.directions.isfinite().all().item<bool>()) fail("its directions are not finite");
  if (start.variances.sizes() != start.directions.sizes().slice(0, 2) || !none_below_0(start.variances))
    fail("its variances are not numbers from 0, one for each direction");
  return start;
}

}  // namespace fewstep::examples
