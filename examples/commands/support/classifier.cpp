#include "classifier.hpp"

#include "tensor_file.hpp"

#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>
#include <torch/utils.h>

#include <stdexcept>

namespace fewstep::examples {

struct Classifier::Layers : torch::nn::Module {
  std::vector<torch::nn::Conv2d> convolutions;
  torch::nn::Linear head{nullptr};

  Layers() {
    const std::int64_t widths[] = {1, 16, 32, 64, features};
    for (int i = 0; i < 4; ++i)
      convolutions.push_back(register_module(
          "conv" + std::to_string(i),
          torch::nn::Conv2d(torch::nn::Conv2dOptions(widths[i], widths[i + 1], 3).stride(i == 0 ? 1 : 2).padding(1))));
    head = register_module("head", torch::nn::Linear(features, classes));
  }
};

Classifier::Classifier() : layers_(std::make_shared<Layers>()) {}

Classifier::Output Classifier::forward(torch::Tensor x) const {
  for (auto& convolution : layers_->convolutions) x = torch::relu(convolution->forward(x));
  const torch::Tensor feature = x.mean({2, 3});
  return {feature, layers_->head->forward(feature)};
}

void Classifier::to(torch::Device device) { layers_->to(device); }
void Classifier::eval() { layers_->eval(); }
std::vector<torch::Tensor> Classifier::parameters() const { return layers_->parameters(); }
std::map<std::string, torch::Tensor> Classifier::named_parameters() const {
  std::map<std::string, torch::Tensor> all;
  for (const auto& entry : layers_->named_parameters()) all.emplace(entry.key(), entry.value());
  return all;
}

std::shared_ptr<Classifier> load_classifier(const std::filesystem::path& path) {
  const TensorFile file = load_tensors(path);
  auto classifier = std::make_shared<Classifier>();
  const torch::NoGradGuard no_grad;
  for (auto& [name, parameter] : classifier->named_parameters()) {
    const auto found = file.tensors.find(name);
    if (found == file.tensors.end() || found->second.sizes() != parameter.sizes())
      throw std::runtime_error(path.string() + ": tensor " + name +
                               " is missing or has another shape: not a classifier of train_classifier");
    torch::Tensor(parameter).copy_(found->second).requires_grad_(false);
  }
  classifier->eval();
  return classifier;
}

}  // namespace fewstep::examples
