// The networks of Karras et al. 2022 (EDM, arXiv 2206.00364) with their preconditioning: DDPM++, NCSN++ and ADM, from
// weights in a safetensors file.
//
//   const auto network = load_unet("fashion_mnist.safetensors");
//   auto [denoised, feature] = network->forward(x, sigma, labels);  // labels: one-hot [B, classes], {} for none
//   auto denoiser = bind_labels(network, labels);                   // callable (x, sigma), as samplers expect
#pragma once

#include "unet_config.hpp"

#include <torch/types.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace torch::nn {
class Module;
}

namespace fewstep::examples {

/// A preconditioned network (EDM, equation 7 and table 1):
///   D(x, sigma) = c_skip x + c_out F(c_in x, ln(sigma) / 4),
///   c_skip = sd^2 / (sigma^2 + sd^2),  c_out = sigma sd / sqrt(sigma^2 + sd^2),  c_in = 1 / sqrt(sigma^2 + sd^2),
/// with sd the standard deviation of the data, UnetConfig::sigma_data.
class EdmDenoiser {
 public:
  struct Output {
    torch::Tensor denoised;  // [B, C, H, W], in the type of x
    torch::Tensor feature;   // [B, h, w]: channel mean of the encoder's last block, the input of AMED's predictor
  };

  /// Random weights.
  explicit EdmDenoiser(const UnetConfig& config);
  EdmDenoiser(const EdmDenoiser&) = delete;
  EdmDenoiser& operator=(const EdmDenoiser&) = delete;

  const UnetConfig& config() const { return config_; }

  /// The type to compute in, where it differs from the type of the weights. With float32 weights, bfloat16 is about
  /// twice as fast on processors with bfloat16 arithmetic. Preconditioning and embedding stay in full precision.
  std::optional<torch::ScalarType> compute_type;

  /// Channels-last features, which make convolutions faster on most processors.
  bool channels_last = false;

  /// @param x       [B, C, H, W]
  /// @param sigma   noise level: one positive value, or [B]
  /// @param labels  [B, classes], one row per sample: one-hot, or zeros for an unconditional sample; undefined: all
  ///                zeros
  /// @throws std::invalid_argument if a shape does not fit the network.
  Output forward(const torch::Tensor& x, const torch::Tensor& sigma, torch::Tensor labels = {}) const;

  void to(torch::Device device);
  void to(torch::ScalarType type);
  void train(bool on = true);
  void eval() { train(false); }
  bool is_training() const;
  std::vector<torch::Tensor> parameters() const;

  /// Weights and buffers by their published names, e.g. "model.enc.32x32_block0.conv0.weight".
  std::map<std::string, torch::Tensor> state() const;

  /// Copies all weights and buffers and converts them to the network's type.
  /// @throws std::runtime_error naming the first tensor that is missing, unknown, of another shape or not finite.
  void load_state(const std::map<std::string, torch::Tensor>& tensors);

  /// For LibTorch's archives.
  torch::nn::Module& module();

 private:
  struct Modules;

  torch::Tensor label_rows(const torch::Tensor& labels, std::int64_t batch, torch::Device device,
                           torch::ScalarType type) const;
  void check_shapes(const torch::Tensor& x, const torch::Tensor& sigma, const torch::Tensor& labels) const;

  UnetConfig config_;
  std::shared_ptr<Modules> modules_;
};

/// The network as a function of (x, sigma) with fixed labels, as samplers expect a denoiser.
/// @param labels  as in EdmDenoiser::forward()
inline auto bind_labels(std::shared_ptr<const EdmDenoiser> network, torch::Tensor labels = {}) {
  return [network = std::move(network), labels = std::move(labels)](
             const torch::Tensor& x, const torch::Tensor& sigma) { return network->forward(x, sigma, labels); };
}

/// Returns one-hot rows [B, classes] in float32.
/// @param classes  indices [B]
/// @throws std::invalid_argument if an index is outside 0..label_dim-1.
torch::Tensor class_rows(const torch::Tensor& classes, std::int64_t label_dim);

/// Builds the network that the file's metadata describe and loads its weights: float32, evaluation mode, CPU, no
/// gradients for the weights.
/// @throws std::runtime_error, one line: the file, and the metadata entry or tensor that is wrong.
std::shared_ptr<EdmDenoiser> load_unet(const std::filesystem::path& path);

}  // namespace fewstep::examples
