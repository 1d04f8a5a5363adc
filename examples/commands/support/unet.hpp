// The networks of Karras et al. 2022 (EDM, arXiv 2206.00364) with their preconditioning: DDPM++, NCSN++ and ADM, from
// weights in a safetensors file.
//
//   const auto network = load_unet("fashion_mnist.safetensors");
//   auto [denoised, feature] = network->forward(x, sigma, labels);      // labels: one-hot [B, classes], {} for none
//   auto denoiser = bind_labels(network, labels);                       // callable (x, sigma), for the samplers
#pragma once

#include "unet_config.hpp"
#include "unet_layers.hpp"

#include <fewstep/torch/safetensors.hpp>

#include <torch/torch.h>

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace fewstep::examples {

/// The network without preconditioning, F in the paper's notation.
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

  /// x: [B, C, H, W] in the type to compute in; noise: [B], ln(sigma)/4; labels: [B, classes] or undefined.
  Output forward(torch::Tensor x, const torch::Tensor& noise, const torch::Tensor& labels) const {
    const torch::Tensor embedding = embed(noise, labels);
    std::vector<torch::Tensor> skips;
    torch::Tensor image = x;  // the noisy image on its way down the residual input branch
    for (const Stage& stage : encoder_) {
      if (stage.kind == Stage::image_residual) {
        // The branch joins the features: both go on as their normalised sum.
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
    std::shared_ptr<UnetBlock> block;  // either a block
    std::shared_ptr<Conv2d> conv;      // or a bare convolution
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
    // ADM adds labels to the finished embedding, the others to its input.
    const std::int64_t label_channels = c.adm() ? blocks_.embedding_channels : noise_channels;
    noise_channels_ = noise_channels;
    if (!c.adm() && c.embedding_type == "fourier")
      map_noise_ = register_module("map_noise", std::make_shared<FourierFeatures>(noise_channels));
    if (c.label_dim > 0)
      map_label_ = register_module("map_label", std::make_shared<Linear>(c.label_dim, label_channels, init, !c.adm()));
    if (c.augment_dim > 0)  // kept so that published weights load whole; without augmentation its input is zero
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

/// A preconditioned network (EDM, equation 7 and table 1):
///   D(x, sigma) = c_skip x + c_out F(c_in x, ln(sigma) / 4),
///   c_skip = sd^2 / (sigma^2 + sd^2),  c_out = sigma sd / sqrt(sigma^2 + sd^2),  c_in = 1 / sqrt(sigma^2 + sd^2).
class EdmDenoiser : public torch::nn::Module {
 public:
  struct Output {
    torch::Tensor denoised;  // [B, C, H, W], in the type of x
    torch::Tensor feature;   // [B, h, w]: channel mean of the encoder's last block (what AMED's predictor reads)
  };

  explicit EdmDenoiser(const UnetConfig& config) : config_(config) {
    model_ = register_module("model", std::make_shared<Unet>(config));
  }

  const UnetConfig& config() const { return config_; }

  /// The type that the network computes in when it differs from that of its weights; bfloat16 with float32 weights is
  /// about twice as fast on processors with bfloat16 arithmetic. Preconditioning and embedding stay in full precision.
  std::optional<torch::ScalarType> compute_type;

  /// Channels-last features: faster convolutions on most processors.
  bool channels_last = false;

  /// @param x       [B, C, H, W]
  /// @param sigma   one positive value, or [B]
  /// @param labels  [B, classes], one row per sample: one-hot, or zeros for "no class"; undefined: all zeros
  /// @throws std::invalid_argument when a shape does not fit the network.
  Output forward(const torch::Tensor& x, const torch::Tensor& sigma, torch::Tensor labels = {}) const {
    check_shapes(x, sigma, labels);
    const std::int64_t batch = x.size(0);
    const torch::ScalarType weight_type = model_->parameters().front().scalar_type();
    const bool wide = weight_type == torch::kFloat64;
    const torch::TensorOptions precise = x.options().dtype(wide ? torch::kFloat64 : torch::kFloat32);

    // A handful of numbers, so in double throughout; only the final coefficients are cast.
    const torch::Tensor level = sigma.to(x.device(), torch::kFloat64).reshape({-1}).expand({batch});
    const double sd2 = config_.sigma_data * config_.sigma_data;
    const torch::Tensor total = level * level + sd2;
    const auto column = [&](const torch::Tensor& t) { return t.to(precise).reshape({-1, 1, 1, 1}); };
    const torch::Tensor c_skip = column(sd2 / total);
    const torch::Tensor c_out = column(level * config_.sigma_data / total.sqrt());
    const torch::Tensor c_in = column(total.rsqrt());
    const torch::Tensor c_noise = (level.log() / 4).to(precise);

    if (config_.label_dim > 0) labels = label_rows(labels, batch, x.device(), weight_type);
    const torch::Tensor image = x.to(precise);
    torch::Tensor input = (c_in * image).to(compute_type.value_or(weight_type));
    if (channels_last) input = input.contiguous(torch::MemoryFormat::ChannelsLast);
    const Unet::Output output = model_->forward(input, c_noise, labels);
    return {(c_skip * image + c_out * output.value.to(precise)).to(x.scalar_type()),
            output.bottleneck.to(precise.dtype()).mean(1)};
  }

  /// Weights and buffers by their published names, e.g. "model.enc.32x32_block0.conv0.weight".
  std::map<std::string, torch::Tensor> state() const {
    std::map<std::string, torch::Tensor> tensors;
    for (const auto& entry : named_parameters()) tensors.emplace(entry.key(), entry.value());
    for (const auto& entry : named_buffers()) tensors.emplace(entry.key(), entry.value());
    return tensors;
  }

  /// Copies all weights and buffers, converting to the network's type.
  /// @throws std::runtime_error naming the first tensor that is missing, unused, of another shape or not finite.
  void load_state(const std::map<std::string, torch::Tensor>& tensors) {
    const torch::NoGradGuard no_grad;
    auto own = state();
    for (const auto& [name, tensor] : tensors)
      if (!own.contains(name)) throw std::runtime_error("tensor " + name + " is not part of this network");
    for (auto& [name, target] : own) {
      const auto source = tensors.find(name);
      if (source == tensors.end()) throw std::runtime_error("tensor " + name + " is missing");
      if (source->second.sizes() != target.sizes())
        throw std::runtime_error("tensor " + name + " has shape " + shape_text(source->second) +
                                 ", the network needs " + shape_text(target));
      if (!source->second.is_floating_point())
        throw std::runtime_error("tensor " + name + " does not hold floating-point numbers");
      const torch::Tensor converted = source->second.to(target.options());
      if (!torch::isfinite(converted).all().item<bool>())
        throw std::runtime_error("tensor " + name + " has values that are not finite");
      target.copy_(converted);
    }
  }

 private:
  static std::string shape_text(const torch::Tensor& tensor) {
    std::string text = "[";
    for (const std::int64_t extent : tensor.sizes()) text += (text.size() > 1 ? ", " : "") + std::to_string(extent);
    return text + "]";
  }

  torch::Tensor label_rows(const torch::Tensor& labels, std::int64_t batch, torch::Device device,
                           torch::ScalarType type) const {
    const auto options = torch::TensorOptions().device(device).dtype(type);
    if (!labels.defined()) return torch::zeros({batch, config_.label_dim}, options);
    if (is_training() && config_.label_dropout > 0)
      return labels.to(options) * (torch::rand({batch, 1}, options) >= config_.label_dropout);
    return labels.to(options);
  }

  void check_shapes(const torch::Tensor& x, const torch::Tensor& sigma, const torch::Tensor& labels) const {
    const std::int64_t r = config_.img_resolution;
    if (x.dim() != 4 || x.size(1) != config_.img_channels || x.size(2) != r || x.size(3) != r)
      throw std::invalid_argument("x has shape " + shape_text(x) + ", this network needs [B, " +
                                  std::to_string(config_.img_channels) + ", " + std::to_string(r) + ", " +
                                  std::to_string(r) + "]");
    if (sigma.numel() != 1 && (sigma.dim() == 0 || sigma.numel() != x.size(0)))
      throw std::invalid_argument("sigma has " + std::to_string(sigma.numel()) + " values, allowed: 1 or the batch's " +
                                  std::to_string(x.size(0)));
    if (!labels.defined()) return;
    if (config_.label_dim == 0) throw std::invalid_argument("labels were given to a network without classes");
    if (labels.dim() != 2 || labels.size(0) != x.size(0) || labels.size(1) != config_.label_dim)
      throw std::invalid_argument("labels have shape " + shape_text(labels) + ", this network needs [" +
                                  std::to_string(x.size(0)) + ", " + std::to_string(config_.label_dim) + "]");
  }

  UnetConfig config_;
  std::shared_ptr<Unet> model_;
};

/// The network as a plain function of (x, sigma), with its labels fixed: what a sampler wants. `labels` as in
/// EdmDenoiser::forward; no gradients are recorded unless the caller enabled them on x.
inline auto bind_labels(std::shared_ptr<const EdmDenoiser> network, torch::Tensor labels = {}) {
  return [network = std::move(network), labels = std::move(labels)](
             const torch::Tensor& x, const torch::Tensor& sigma) { return network->forward(x, sigma, labels); };
}

/// Class indices [B] -> one-hot rows [B, classes] in float32.
/// @throws std::invalid_argument when an index is outside 0..classes-1.
inline torch::Tensor class_rows(const torch::Tensor& classes, std::int64_t label_dim) {
  if (classes.numel() > 0 &&
      (classes.min().item<std::int64_t>() < 0 || classes.max().item<std::int64_t>() >= label_dim))
    throw std::invalid_argument("class index outside 0.." + std::to_string(label_dim - 1));
  return torch::one_hot(classes.to(torch::kInt64), label_dim).to(torch::kFloat32);
}

/// Builds the network that the file's metadata describes and fills it with the file's weights (float32, evaluation
/// mode, CPU, no gradients for the weights).
/// @throws std::runtime_error, one line: the file, and the metadata entry or tensor that is wrong.
inline std::shared_ptr<EdmDenoiser> load_unet(const std::filesystem::path& path) {
  const io::TensorFile file = io::load_tensors(path);
  try {
    const auto network = std::make_shared<EdmDenoiser>(parse_unet_config(file.metadata));
    network->load_state(file.tensors);
    network->eval();
    for (torch::Tensor& parameter : network->parameters()) parameter.requires_grad_(false);
    return network;
  } catch (const std::runtime_error& error) {
    throw std::runtime_error(path.string() + ": " + error.what());
  }
}

}  // namespace fewstep::examples
