// The transformer inside FlowDenoiser (dit.hpp): a diffusion transformer with adaptive layer norms (DiT with
// adaLN-Zero, Peebles & Xie 2023, arXiv 2212.09748, section 3.2).
//
// Tokens are in the type to compute in, and layers convert their weights to it, so that a network with float32 weights
// can run in bfloat16. The embedding of patches and condition and the last layer stay in full precision.
#pragma once

#include "dit_config.hpp"
#include "unet_layers.hpp"

#include <torch/nn/module.h>
#include <torch/types.h>

#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace fewstep::examples {

/// A linear layer in the type of its input.
inline torch::Tensor linear(const Linear& layer, const torch::Tensor& x) {
  return torch::linear(x, layer.weight.to(x.scalar_type()), layer.bias.to(x.scalar_type()));
}

/// Layer norm without weights of its own, then scale and shift by the condition.
inline torch::Tensor modulated(const torch::Tensor& x, const torch::Tensor& shift, const torch::Tensor& scale) {
  constexpr double epsilon = 1e-6;
  return torch::addcmul(shift, torch::layer_norm(x, {x.size(2)}, {}, {}, epsilon), scale + 1);
}

/// Self-attention and an MLP, each after an adaptive layer norm and with a gate that starts at 0.
class DitBlock : public torch::nn::Module {
 public:
  explicit DitBlock(const DitConfig& c) : heads_(c.num_heads) {
    const std::int64_t width = c.hidden_size;
    qkv_ = register_module("qkv", std::make_shared<Linear>(width, 3 * width, WeightInit{}));
    proj_ = register_module("proj", std::make_shared<Linear>(width, width, WeightInit{}));
    fc1_ = register_module("fc1", std::make_shared<Linear>(width, c.mlp_ratio * width, WeightInit{}));
    fc2_ = register_module("fc2", std::make_shared<Linear>(c.mlp_ratio * width, width, WeightInit{}));
    modulation_ = register_module("modulation", std::make_shared<Linear>(width, 6 * width, WeightInit{.scale = 0}));
  }

  /// @param x          [B, tokens, width]
  /// @param condition  [B, width], in the type of the weights
  torch::Tensor forward(torch::Tensor x, const torch::Tensor& condition) const {
    const auto m = modulation_->forward(condition).to(x.scalar_type()).unsqueeze(1).chunk(6, 2);
    x = torch::addcmul(x, m[2], attention(modulated(x, m[0], m[1])));
    return torch::addcmul(x, m[5], mlp(modulated(x, m[3], m[4])));
  }

 private:
  // Not torch::scaled_dot_product_attention, which LibTorch 1.13 lacks, and which is slower in bfloat16 on a CPU.
  torch::Tensor attention(const torch::Tensor& x) const {
    const std::int64_t batch = x.size(0), tokens = x.size(1), width = x.size(2), per_head = width / heads_;
    const auto qkv = linear(*qkv_, x).reshape({batch, tokens, 3, heads_, per_head}).permute({2, 0, 3, 1, 4}).unbind(0);
    const torch::Tensor query = qkv[0] / std::sqrt(static_cast<double>(per_head));
    const torch::Tensor weights = torch::softmax(torch::matmul(query, qkv[1].transpose(2, 3)), 3);
    return linear(*proj_, torch::matmul(weights, qkv[2]).transpose(1, 2).reshape({batch, tokens, width}));
  }

  torch::Tensor mlp(const torch::Tensor& x) const { return linear(*fc2_, torch::gelu(linear(*fc1_, x), "tanh")); }

  std::int64_t heads_;
  std::shared_ptr<Linear> qkv_, proj_, fc1_, fc2_, modulation_;
};

/// Velocity of a flow by a transformer.
class Dit : public torch::nn::Module {
 public:
  struct Output {
    torch::Tensor velocity;  // [B, C, H, W]
    torch::Tensor middle;    // [B, tokens, width]: after half of the blocks
  };

  explicit Dit(const DitConfig& config) : config_(config) {
    validate(config);
    const std::int64_t width = config.hidden_size, patch = config.img_channels * config.patch_size * config.patch_size;
    const WeightInit init, zero{.scale = 0};
    patches_ = register_module("patches", std::make_shared<Linear>(patch, width, init));
    time0_ = register_module("time0", std::make_shared<Linear>(time_channels, width, init));
    time1_ = register_module("time1", std::make_shared<Linear>(width, width, init));
    if (config.label_dim > 0)  // without a bias: no class adds nothing
      label_ = register_module("label", std::make_shared<Linear>(config.label_dim, width, init, false));
    for (std::int64_t i = 0; i < config.depth; ++i)
      blocks_.push_back(register_module("block" + std::to_string(i), std::make_shared<DitBlock>(config)));
    modulation_ = register_module("modulation", std::make_shared<Linear>(width, 2 * width, zero));
    out_ = register_module("out", std::make_shared<Linear>(width, patch, zero));
    positions_ = positions(config.side(), width);
  }

  /// @param x       [B, C, H, W] = (1 - t) x0 + t noise
  /// @param time    [B], t in float64
  /// @param labels  [B, classes] in the type of the weights; undefined for a network without classes
  /// @param type    to compute in
  Output forward(const torch::Tensor& x, const torch::Tensor& time, const torch::Tensor& labels,
                 torch::ScalarType type) const {
    const torch::Tensor condition = embedded(time, labels);
    torch::Tensor tokens =
        (patches_->forward(torch::pixel_unshuffle(x, config_.patch_size).flatten(2).transpose(1, 2)) +
         positions_.to(x.options()))
            .to(type);
    torch::Tensor middle;
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      tokens = blocks_[i]->forward(tokens, condition);
      if (i == (blocks_.size() - 1) / 2) middle = tokens;
    }
    const auto m = modulation_->forward(condition).unsqueeze(1).chunk(2, 2);
    const torch::Tensor patches = out_->forward(modulated(tokens.to(m[0].scalar_type()), m[0], m[1]));
    const std::int64_t side = config_.side();
    return {torch::pixel_shuffle(patches.transpose(1, 2).reshape({x.size(0), -1, side, side}), config_.patch_size),
            middle};
  }

 private:
  static constexpr std::int64_t time_channels = 128;
  static constexpr double time_scale = 1'000, longest_wave = 10'000;

  /// Returns cos and sin of value / longest_wave^(k / count), k = 0 ... count - 1: [values, 2 count] in float64.
  static torch::Tensor waves(const torch::Tensor& values, std::int64_t count) {
    const torch::Tensor exponents = torch::arange(count, torch::kFloat64) / static_cast<double>(count);
    const torch::Tensor rates = torch::pow(longest_wave, -exponents).to(values.device());
    const torch::Tensor angles = values.unsqueeze(1) * rates;
    return torch::cat({angles.cos(), angles.sin()}, 1);
  }

  /// A token's row by half of the channels, its column by the others: [tokens, width].
  static torch::Tensor positions(std::int64_t side, std::int64_t width) {
    const torch::Tensor along = waves(torch::arange(side, torch::kFloat64), width / 4);
    const torch::Tensor rows = along.unsqueeze(1).expand({side, side, width / 2}),
                        columns = along.unsqueeze(0).expand({side, side, width / 2});
    return torch::cat({rows, columns}, 2).reshape({side * side, width});
  }

  torch::Tensor embedded(const torch::Tensor& time, const torch::Tensor& labels) const {
    const torch::Tensor angles = waves(time_scale * time, time_channels / 2);
    torch::Tensor embedding = time1_->forward(torch::silu(time0_->forward(angles)));
    if (label_) embedding = embedding + label_->forward(labels);
    return torch::silu(embedding);
  }

  DitConfig config_;
  std::shared_ptr<Linear> patches_, time0_, time1_, label_, modulation_, out_;
  std::vector<std::shared_ptr<DitBlock>> blocks_;
  torch::Tensor positions_;
};

}  // namespace fewstep::examples
