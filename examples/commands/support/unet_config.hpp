// The shape of an EDM network, as the metadata of a safetensors file describe it.
#pragma once

#include "image_config.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace fewstep::examples {

/// Architecture and preconditioning of an EDM network. Names and defaults are those of the published checkpoints
/// (Karras et al. 2022, arXiv 2206.00364, table 1 and appendix F).
struct UnetConfig : ImageConfig {
  double sigma_data = 0.5;

  std::string model_type = "SongUNet";        // SongUNet (DDPM++, NCSN++) | DhariwalUNet (ADM)
  std::string embedding_type = "positional";  // positional (DDPM++) | fourier (NCSN++)
  std::string encoder_type = "standard";      // standard (DDPM++) | residual (NCSN++)
  std::string decoder_type = "standard";
  std::vector<double> resample_filter = {1, 1};
  std::int64_t model_channels = 128;
  std::vector<std::int64_t> channel_mult = {1, 2, 2, 2};
  std::int64_t channel_mult_emb = 4;
  std::int64_t channel_mult_noise = 1;
  std::int64_t num_blocks = 4;
  std::vector<std::int64_t> attn_resolutions = {16};
  std::int64_t augment_dim = 0;  // inputs of the training-time augmentation branch; not used when sampling
  double dropout = 0;            // used in training mode only

  bool adm() const { return model_type == "DhariwalUNet"; }
  /// The number of pixels at the coarsest resolution.
  std::int64_t feature_size() const override {
    const std::int64_t side = img_resolution >> (channel_mult.size() - 1);
    return side * side;
  }
};

/// @throws std::runtime_error naming the entry, its value and what is allowed.
void validate(const UnetConfig& config);

/// Returns a lower bound of the number of weights of a valid network, close to it for large ones: that of the blocks'
/// 3x3 convolutions and of the layers for noise level, labels and augmentation.
double least_weights(const UnetConfig& config);

/// Reads the metadata entries `arch` (a JSON object), img_resolution, img_channels, label_dim, labels and sigma_data.
/// Other entries are ignored. An unknown entry within `arch` is an error, since it may change what the network
/// computes.
/// @throws std::runtime_error naming the entry that is missing, malformed or not supported.
UnetConfig parse_unet_config(const std::map<std::string, std::string>& entries);

/// The inverse of parse_unet_config().
std::map<std::string, std::string> to_metadata(const UnetConfig& config);

}  // namespace fewstep::examples
