// The network of a weights file as a denoiser D(x, sigma) of images, whatever its architecture and its process.
//
//   const auto network = load_denoiser("fashion_mnist.safetensors");      // or emoji.safetensors, ...
//   auto [denoised, feature] = network->forward(x, sigma, labels);        // labels: one-hot [B, classes], {} for none
//   auto denoiser = bind_labels(network, labels);                         // callable (x, sigma), as samplers expect
#pragma once

#include "image_config.hpp"

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

/// A denoiser D(x, sigma) of x = x0 + sigma * noise. EdmDenoiser (unet.hpp) and FlowDenoiser (dit.hpp) are its kinds.
class ImageDenoiser {
 public:
  struct Output {
    torch::Tensor denoised;  // [B, C, H, W], in the type of x
    torch::Tensor feature;   // [B, h, w]: what the middle of the network makes of x, the input of AMED's predictor
  };
  /// ln(sigma) of the training images has a normal distribution.
  struct TrainingLevels {
    double mean, deviation;
  };

  virtual ~ImageDenoiser();
  ImageDenoiser(const ImageDenoiser&) = delete;
  ImageDenoiser& operator=(const ImageDenoiser&) = delete;

  virtual const ImageConfig& config() const = 0;
  /// Entries of a weights file from which load_denoiser() builds the same network.
  virtual std::map<std::string, std::string> metadata() const = 0;

  virtual TrainingLevels training_levels() const = 0;
  /// Weight of |D - x0|^2 in the training loss: one over the square of the factor that the network's output has in D.
  virtual torch::Tensor loss_weight(const torch::Tensor& sigma) const = 0;

  /// The type to compute in, where it differs from the type of the weights. With float32 weights, bfloat16 is about
  /// twice as fast on processors with bfloat16 arithmetic. The coefficients of D and the embedding of the noise level
  /// stay in full precision.
  std::optional<torch::ScalarType> compute_type;

  /// Channels-last features, which make convolutions faster on most processors.
  bool channels_last = false;

  /// @param x       [B, C, H, W]
  /// @param sigma   noise level: one value, or [B]
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

  /// Weights and buffers by name, e.g. "model.enc.32x32_block0.conv0.weight".
  std::map<std::string, torch::Tensor> state() const;

  /// Copies all weights and buffers and converts them to the network's type.
  /// @throws std::runtime_error naming the first tensor that is missing, unknown, of another shape or not finite.
  void load_state(const std::map<std::string, torch::Tensor>& tensors);

  /// For LibTorch's archives.
  torch::nn::Module& module() { return *module_; }

 protected:
  /// @param model  holds the weights; in their names it is "model"
  explicit ImageDenoiser(std::shared_ptr<torch::nn::Module> model);

  /// The types and shapes that forward() passes on are checked.
  /// @param level   [B], float64, on the device of x
  /// @param labels  [B, classes] in the type of the weights; undefined for a network without classes
  virtual Output evaluate(const torch::Tensor& x, const torch::Tensor& level, const torch::Tensor& labels) const = 0;

  torch::ScalarType weight_type() const;
  /// float64 with float64 weights, otherwise float32.
  torch::ScalarType precise_type() const;

 private:
  torch::Tensor label_rows(const torch::Tensor& labels, std::int64_t batch, torch::Device device) const;
  void check_shapes(const torch::Tensor& x, const torch::Tensor& sigma, const torch::Tensor& labels) const;

  std::shared_ptr<torch::nn::Module> module_;
};

/// The network as a function of (x, sigma) with fixed labels, as samplers expect a denoiser.
/// @param labels  as in ImageDenoiser::forward()
inline auto bind_labels(std::shared_ptr<const ImageDenoiser> network, torch::Tensor labels = {}) {
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
std::shared_ptr<ImageDenoiser> load_denoiser(const std::filesystem::path& path);

}  // namespace fewstep::examples
