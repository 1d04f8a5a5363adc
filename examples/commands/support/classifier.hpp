// A small classifier of 32x32 grey images, whose features serve to compare sets of images.
#pragma once

#include <fewstep/torch/safetensors.hpp>

#include <torch/torch.h>

#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>

namespace fewstep::examples {

/// Four convolutions, each but the first halving the image, and one linear layer on the mean over positions.
class Classifier : public torch::nn::Module {
 public:
  static constexpr std::int64_t features = 64, classes = 10;

  struct Output {
    torch::Tensor feature;  // [B, features]
    torch::Tensor logits;   // [B, classes]
  };

  Classifier() {
    const std::int64_t widths[] = {1, 16, 32, 64, features};
    for (int i = 0; i < 4; ++i)
      convolutions_.push_back(register_module(
          "conv" + std::to_string(i),
          torch::nn::Conv2d(torch::nn::Conv2dOptions(widths[i], widths[i + 1], 3).stride(i == 0 ? 1 : 2).padding(1))));
    head_ = register_module("head", torch::nn::Linear(features, classes));
  }

  /// @param x  [B, 1, 32, 32] in [-1, 1]
  Output forward(torch::Tensor x) {
    for (auto& convolution : convolutions_) x = torch::relu(convolution->forward(x));
    const torch::Tensor feature = x.mean({2, 3});
    return {feature, head_->forward(feature)};
  }

 private:
  std::vector<torch::nn::Conv2d> convolutions_;
  torch::nn::Linear head_{nullptr};
};

/// @throws std::runtime_error naming the file and the tensor that is missing or has another shape.
inline std::shared_ptr<Classifier> load_classifier(const std::filesystem::path& path) {
  const io::TensorFile file = io::load_tensors(path);
  const auto classifier = std::make_shared<Classifier>();
  const torch::NoGradGuard no_grad;
  for (const auto& entry : classifier->named_parameters()) {
    const auto found = file.tensors.find(entry.key());
    if (found == file.tensors.end() || found->second.sizes() != entry.value().sizes())
      throw std::runtime_error(path.string() + ": tensor " + entry.key() +
                               " is missing or has another shape: not a classifier of train_classifier");
    torch::Tensor(entry.value()).copy_(found->second).requires_grad_(false);
  }
  classifier->eval();
  return classifier;
}

}  // namespace fewstep::examples
