// The U-Net inside EdmDenoiser (unet.hpp).
#pragma once

#include "unet_config.hpp"
#include "unet_layers.hpp"

#include <torch/nn/module.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace fewstep::examples {

/// The network without preconditioning: F in the notation of Karras et al. 2022.
class Unet : public torch::nn::Module {
 public:
  struct Output {
    torch::Tensor value;       // [B, C, H, W]
    torch::Tensor bottleneck;  // [B, channels, h, w]: output of the encoder's last block
  };

  explicit Unet(const UnetConfig& config) : config_(config) {
    validate(config_);
    if (config_.adm()) prepare_adm();
    else prepare_song();
    build_embedding();
    enc_ = register_module("enc", std::make_shared<torch::nn::Module>());
    dec_ = register_module("dec", std::make_shared<torch::nn::Module>());
    build_decoder(build_encoder());
  }

  /// @param x       [B, C, H, W], in the type to compute in
  /// @param noise   [B], ln(sigma) / 4
  /// @param labels  [B, classes]; undefined for a network without classes
  Output forward(torch::Tensor x, const torch::Tensor& noise, const torch::Tensor& labels) const {
    const torch::Tensor embedding = embed(noise, labels);
    std::vector<torch::Tensor> skips;
    torch::Tensor image = x;  // the noisy image in the residual input branch
    for (const Stage& stage : encoder_) {
      if (stage.kind == Stage::image_residual) {
        // The normalised sum of branch and features replaces both.
        image = x = skips.back() = (x + stage.conv->forward(image)) * std::sqrt(0.5);
        continue;
      }
      x = stage.block ? stage.block->forward(x, embedding) : stage.conv->forward(x);
      skips.push_back(x);
    }
    const torch::Tensor bottleneck = x;
    for (const Stage& stage : decoder_) {
      if (stage.kind == Stage::joins_skip) {
        x = torch::cat({x, skips.back()}, 1);
        skips.pop_back();
      }
      x = stage.block->forward(x, embedding);
    }
    return {out_conv_->forward(torch::silu(out_norm_->forward(x))), bottleneck};
  }

 private:
  struct Stage {
    enum Kind { plain, image_residual, joins_skip } kind;
    std::shared_ptr<UnetBlock> block;  // null for a convolution
    std::shared_ptr<Conv2d> conv;      // null for a block
  };

  void prepare_song() {
    blocks_.skip_scale = std::sqrt(0.5);
    blocks_.epsilon = 1e-6;
    blocks_.adaptive_scale = false;
    blocks_.resample_proj = true;
    blocks_.filter = config_.resample_filter;
    blocks_.init_zero.scale = 1e-5;
    blocks_.init_attention.scale = std::sqrt(0.2);
  }

  void prepare_adm() {
    const double scale = std::sqrt(1. / 3);
    blocks_.channels_per_head = 64;
    blocks_.init = blocks_.init_attention = {WeightInit::Fan::in, scale, scale};
    blocks_.init_zero = {WeightInit::Fan::in, 0, 0};
  }

  void build_embedding() {
    const UnetConfig& c = config_;
    const WeightInit& init = blocks_.init;
    blocks_.embedding_channels = c.model_channels * c.channel_mult_emb;
    blocks_.dropout = c.dropout;
    const std::int64_t noise_channels = c.model_channels * (c.adm() ? 1 : c.channel_mult_noise);
    // ADM adds labels to the finished embedding, SongUNet to its input.
    const std::int64_t label_channels = c.adm() ? blocks_.embedding_channels : noise_channels;
    noise_channels_ = noise_channels;
    if (!c.adm() && c.embedding_type == "fourier")
      map_noise_ = register_module("map_noise", std::make_shared<FourierFeatures>(noise_channels));
    if (c.label_dim > 0)
      map_label_ = register_module("map_label", std::make_shared<Linear>(c.label_dim, label_channels, init, !c.adm()));
    if (c.augment_dim > 0)  // unused, but published weights include it
      register_module("map_augment", std::make_shared<Linear>(c.augment_dim, noise_channels, init, false));
    map_layer0_ =
        register_module("map_layer0", std::make_shared<Linear>(noise_channels, blocks_.embedding_channels, init));
    map_layer1_ = register_module(
        "map_layer1", std::make_shared<Linear>(blocks_.embedding_channels, blocks_.embedding_channels, init));
  }

  torch::Tensor embed(const torch::Tensor& noise, torch::Tensor labels) const {
    const bool adm = config_.adm();
    const torch::Tensor angles =
        map_noise_ ? map_noise_->angles(noise) : positional_angles(noise, noise_channels_, !adm);
    // Sines first in DDPM++ and NCSN++, cosines first in ADM.
    torch::Tensor embedding =
        adm ? torch::cat({angles.cos(), angles.sin()}, 1) : torch::cat({angles.sin(), angles.cos()}, 1);
    torch::Tensor label_embedding;
    if (map_label_) {
      const double scale = adm ? 1 : std::sqrt(static_cast<double>(config_.label_dim));
      label_embedding = map_label_->forward(labels * scale);
    }
    if (label_embedding.defined() && !adm) embedding = embedding + label_embedding;
    embedding = map_layer1_->forward(torch::silu(map_layer0_->forward(embedding)));
    if (label_embedding.defined() && adm) embedding = embedding + label_embedding;
    return torch::silu(embedding);
  }

  bool attends(std::int64_t resolution) const {
    const std::vector<std::int64_t>& at = config_.attn_resolutions;
    return std::find(at.begin(), at.end(), resolution) != at.end();
  }

  std::string stage_name(std::size_t level, const std::string& what) const {
    const std::string resolution = std::to_string(config_.img_resolution >> level);
    return resolution + "x" + resolution + "_" + what;
  }

  std::shared_ptr<UnetBlock> add_block(torch::nn::Module& part, const std::string& name, std::int64_t in,
                                       std::int64_t out, bool attention, Resample resample = Resample::none) const {
    return part.register_module(name, std::make_shared<UnetBlock>(in, out, attention, resample, blocks_));
  }

  /// Returns the channels of each skip connection.
  std::vector<std::int64_t> build_encoder() {
    const UnetConfig& c = config_;
    std::vector<std::int64_t> skips;
    std::int64_t channels = c.img_channels, image_channels = c.img_channels;
    for (std::size_t level = 0; level < c.channel_mult.size(); ++level) {
      if (level == 0) {
        channels = c.model_channels * (c.adm() ? c.channel_mult[0] : 1);
        encoder_.push_back(
            {Stage::plain, nullptr,
             enc_->register_module(stage_name(0, "conv"),
                                   std::make_shared<Conv2d>(c.img_channels, channels, 3, blocks_.init))});
        skips.push_back(channels);
      } else {
        encoder_.push_back({Stage::plain,
                            add_block(*enc_, stage_name(level, "down"), channels, channels, false, Resample::down),
                            nullptr});
        skips.push_back(channels);
        if (!c.adm() && c.encoder_type == "residual") {
          encoder_.push_back({Stage::image_residual, nullptr,
                              enc_->register_module(stage_name(level, "aux_residual"),
                                                    std::make_shared<Conv2d>(image_channels, channels, 3, blocks_.init,
                                                                             Resample::down, blocks_.filter, true))});
          image_channels = channels;
        }
      }
      const std::int64_t out = c.model_channels * c.channel_mult[level];
      for (std::int64_t i = 0; i < c.num_blocks; ++i) {
        encoder_.push_back({Stage::plain,
                            add_block(*enc_, stage_name(level, "block" + std::to_string(i)), channels, out,
                                      attends(c.img_resolution >> level)),
                            nullptr});
        channels = out;
        skips.push_back(channels);
      }
    }
    return skips;
  }

  void build_decoder(std::vector<std::int64_t> skips) {
    const UnetConfig& c = config_;
    std::int64_t channels = skips.back();
    for (std::size_t level = c.channel_mult.size(); level-- > 0;) {
      const std::int64_t out = c.model_channels * c.channel_mult[level];
      if (level + 1 == c.channel_mult.size()) {
        decoder_.push_back(
            {Stage::plain, add_block(*dec_, stage_name(level, "in0"), channels, channels, true), nullptr});
        decoder_.push_back(
            {Stage::plain, add_block(*dec_, stage_name(level, "in1"), channels, channels, false), nullptr});
      } else {
        decoder_.push_back({Stage::plain,
                            add_block(*dec_, stage_name(level, "up"), channels, channels, false, Resample::up),
                            nullptr});
      }
      for (std::int64_t i = 0; i <= c.num_blocks; ++i) {
        const bool attention = attends(c.img_resolution >> level) && (c.adm() || i == c.num_blocks);
        decoder_.push_back(
            {Stage::joins_skip,
             add_block(*dec_, stage_name(level, "block" + std::to_string(i)), channels + skips.back(), out, attention),
             nullptr});
        skips.pop_back();
        channels = out;
      }
    }
    const auto norm = std::make_shared<GroupNorm>(channels, blocks_.epsilon);
    const auto conv = std::make_shared<Conv2d>(channels, c.img_channels, 3, blocks_.init_zero);
    torch::nn::Module& owner = c.adm() ? *this : *dec_;
    out_norm_ = owner.register_module(c.adm() ? "out_norm" : stage_name(0, "aux_norm"), norm);
    out_conv_ = owner.register_module(c.adm() ? "out_conv" : stage_name(0, "aux_conv"), conv);
  }

  UnetConfig config_;
  BlockOptions blocks_;
  std::int64_t noise_channels_ = 0;
  std::shared_ptr<FourierFeatures> map_noise_;
  std::shared_ptr<Linear> map_label_, map_layer0_, map_layer1_;
  std::shared_ptr<torch::nn::Module> enc_, dec_;
  std::vector<Stage> encoder_, decoder_;
  std::shared_ptr<GroupNorm> out_norm_;
  std::shared_ptr<Conv2d> out_conv_;
};

}  // namespace fewstep::examples
