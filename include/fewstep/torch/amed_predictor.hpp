// AMED's predictor on tensors, for runs and for training.
#pragma once

#include "../plugin/amed_network.hpp"
#include "../plugin/predictor.hpp"
#include "algebra.hpp"

#include <torch/types.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace fewstep {

/// AMED's predictor (AmedNetwork has the formulas) on tensors, with gradients. Copies share their parameters.
class TensorAmedPredictor {
 public:
  static constexpr bool per_sample = true;

  /// @param options  type and device of the parameters and of the computation
  /// @throws std::invalid_argument as AmedNetwork::validate().
  explicit TensorAmedPredictor(const AmedNetwork& network, torch::TensorOptions options = torch::kFloat32)
      : network_(network) {
    network.validate();
    AmedNetwork::for_each_layer(network_, [&](const std::string&, const AmedNetwork::Layer& layer) {
      const auto out = static_cast<std::int64_t>(layer.outputs()), in = static_cast<std::int64_t>(layer.inputs());
      layers_.push_back({torch::tensor(layer.weight, torch::kFloat64).view({out, in}).to(options),
                         torch::tensor(layer.bias, torch::kFloat64).to(options)});
    });
    frequencies_ = torch::tensor(network.frequencies, torch::kFloat64).to(options);
  }

  /// Returns weight and bias of each layer, in the order of AmedNetwork::for_each_layer.
  std::vector<torch::Tensor> parameters() const {
    std::vector<torch::Tensor> all;
    for (const auto& [weight, bias] : layers_) all.insert(all.end(), {weight, bias});
    return all;
  }

  /// Returns the current parameters as plain numbers, e.g. for a file.
  AmedNetwork network() const {
    AmedNetwork copy = network_;
    const auto numbers = [](const torch::Tensor& t) {
      const torch::Tensor plain = t.detach().to(torch::kCPU, torch::kFloat64).contiguous();
      return std::vector<double>(plain.data_ptr<double>(), plain.data_ptr<double>() + plain.numel());
    };
    std::size_t k = 0;
    AmedNetwork::for_each_layer(copy, [&](const std::string&, AmedNetwork::Layer& layer) {
      layer.weight = numbers(layers_[k].weight);
      layer.bias = numbers(layers_[k++].bias);
    });
    return copy;
  }

  /// out <- the predictions for a step, one per sample; values whose head the network lacks keep their defaults.
  /// @param n         the step: one level for the batch, or one per sample
  /// @param features  [B, ...] with network().features() numbers per sample, those of the left end of the step; null:
  /// all
  ///                  are 0
  /// @throws std::invalid_argument for another number of features.
  void operator()(const Step<torch::Tensor>& n, const torch::Tensor* features, Prediction<torch::Tensor>& out) const {
    torch::Tensor f = torch::zeros({1, static_cast<std::int64_t>(network_.features())}, frequencies_.options());
    if (features) f = features->flatten(1).to(frequencies_.options());
    require(f.size(1) == static_cast<std::int64_t>(network_.features()), "the number of features", f.size(1),
            std::to_string(network_.features()) + ", as the predictor was trained with");
    const torch::Tensor code = linear(1, torch::silu(linear(0, f)));
    const torch::Tensor t = embedding(n.from), s = embedding(n.to);
    const std::int64_t batch = (std::max)({code.size(0), t.size(0), s.size(0)});
    const auto expanded = [&](const torch::Tensor& x) { return x.expand({batch, x.size(1)}); };
    const torch::Tensor o = torch::cat({expanded(code), expanded(t), expanded(s)}, 1);
    std::size_t head = first_head;
    const auto next_output = [&] { return torch::sigmoid(linear(head++, o)).squeeze(1).to(level_type(o)); };
    out = {};
    if (network_.ratio)
      out.ratio =
          Level<torch::Tensor>(next_output().clamp(AmedNetwork::smallest_ratio, 1 - AmedNetwork::smallest_ratio));
    if (network_.direction_scale)
      out.direction_scale = Level<torch::Tensor>(1. + network_.direction_scale_range * (2. * next_output() - 1.));
    if (network_.sigma_scale)
      out.sigma_scale = Level<torch::Tensor>(1. + network_.sigma_scale_range * (2. * next_output() - 1.));
  }

 private:
  static constexpr std::size_t first_head = 3;  // among the layers, after enc_layer0, enc_layer1, map_layer0
  struct Layer {
    torch::Tensor weight, bias;
  };

  static torch::ScalarType level_type(const torch::Tensor& x) {
    return torch::typeMetaToScalarType(algebra<torch::Tensor>::level_options(x).dtype());
  }
  torch::Tensor linear(std::size_t k, const torch::Tensor& x) const {
    return torch::linear(x, layers_[k].weight, layers_[k].bias);
  }

  /// Returns the embedding of a level: [1, n] for the batch, [B, n] for one per sample.
  torch::Tensor embedding(const Level<torch::Tensor>& t) const {
    const torch::Tensor level = t.per_sample() ? t.each().to(frequencies_.options()).unsqueeze(1)
                                               : torch::full({1, 1}, t.value(), frequencies_.options());
    const torch::Tensor phase = level * frequencies_;
    return torch::silu(linear(2, torch::cat({phase.sin(), phase.cos()}, 1)));
  }

  AmedNetwork network_;
  std::vector<Layer> layers_;
  torch::Tensor frequencies_;
};

}  // namespace fewstep
