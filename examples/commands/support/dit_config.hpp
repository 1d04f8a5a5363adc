// The shape of a diffusion transformer that predicts a flow's velocity, as the metadata of a safetensors file describe
// it.
#pragma once

#include "image_config.hpp"

#include <cstdint>
#include <map>
#include <string>

namespace fewstep::examples {

/// The entry model_type of the architecture.
inline constexpr const char* dit_model_type = "DiT";

/// Architecture of a transformer (Peebles & Xie 2023, arXiv 2212.09748, whose names these are). The defaults are those
/// of examples/models/emoji.safetensors.
struct DitConfig : ImageConfig {
  std::int64_t patch_size = 2;     // pixels, in width and height, of a token
  std::int64_t hidden_size = 192;  // channels of a token
  std::int64_t depth = 6;          // blocks
  std::int64_t num_heads = 3;
  std::int64_t mlp_ratio = 4;  // hidden channels of a block's MLP, relative to hidden_size

  /// Tokens along a side of the image.
  std::int64_t side() const { return img_resolution / patch_size; }
  /// The number of 2x2 groups of tokens.
  std::int64_t feature_size() const override { return side() / 2 * (side() / 2); }
};

/// @throws std::runtime_error naming the entry, its value and what is allowed.
void validate(const DitConfig& config);

/// Returns the number of weights of a valid network without biases.
double least_weights(const DitConfig& config);

/// Reads the metadata entries `arch` (a JSON object), img_resolution, img_channels, label_dim, labels and process.
/// Other entries are ignored. An unknown entry within `arch` is an error, since it may change what the network
/// computes.
/// @throws std::runtime_error naming the entry that is missing, malformed or not supported.
DitConfig parse_dit_config(const std::map<std::string, std::string>& entries);

/// The inverse of parse_dit_config().
std::map<std::string, std::string> to_metadata(const DitConfig& config);

}  // namespace fewstep::examples
