// A small classifier of 32x32 grey images. Its features serve to compare sets of images.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace fewstep::examples {

/// Four convolutions, the last three with stride 2, then the mean over positions and a linear layer.
class Classifier {
 public:
  static constexpr std::int64_t features = 64, classes = 10;

  struct Output {
    torch::Tensor feature;  // [B, features]
    torch::Tensor logits;   // [B, classes]
  };

  /// Random weights.
  Classifier();

  /// @param x  [B, 1, 32, 32] in [-1, 1]
  Output forward(torch::Tensor x) const;

  void to(torch::Device device);
  void eval();
  std::vector<torch::Tensor> parameters() const;
  std::map<std::string, torch::Tensor> named_parameters() const;

 private:
  struct Layers;
  std::shared_ptr<Layers> layers_;
};

/// @throws std::runtime_error naming the file and the tensor that is missing or has another shape.
std::shared_ptr<Classifier> load_classifier(const std::filesystem::path& path);

}  // namespace fewstep::examples
