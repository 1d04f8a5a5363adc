#include "unet_config.hpp"

#include "metadata_reader.hpp"

#include <nlohmann/json.hpp>

#include <cstddef>

namespace fewstep::examples {

namespace {

// Far beyond all published networks.
constexpr std::int64_t most_classes = 65'536, most_width = 4'096, most_multiple = 64, most_blocks = 64;
constexpr std::size_t most_resolutions = 16, most_taps = 16;

/// Reads the architecture, a JSON object whose entries may all be missing.
void read_arch(const nlohmann::json& arch, UnetConfig& config) {
  metadata::require_known(arch, {"model_type", "embedding_type", "encoder_type", "decoder_type", "resample_filter",
                                 "model_channels", "channel_mult", "channel_mult_emb", "channel_mult_noise",
                                 "num_blocks", "attn_resolutions", "augment_dim", "dropout", "label_dropout"});
  metadata::read(arch, "model_type", config.model_type);
  if (config.adm()) {  // whose defaults differ from those of SongUNet
    config.model_channels = 192;
    config.channel_mult = {1, 2, 3, 4};
    config.num_blocks = 3;
    config.attn_resolutions = {32, 16, 8};
  }
  metadata::read(arch, "embedding_type", config.embedding_type);
  metadata::read(arch, "encoder_type", config.encoder_type);
  metadata::read(arch, "decoder_type", config.decoder_type);
  metadata::read(arch, "resample_filter", config.resample_filter);
  metadata::read(arch, "model_channels", config.model_channels);
  metadata::read(arch, "channel_mult", config.channel_mult);
  metadata::read(arch, "channel_mult_emb", config.channel_mult_emb);
  metadata::read(arch, "channel_mult_noise", config.channel_mult_noise);
  metadata::read(arch, "num_blocks", config.num_blocks);
  metadata::read(arch, "attn_resolutions", config.attn_resolutions);
  metadata::read(arch, "augment_dim", config.augment_dim);
  metadata::read(arch, "dropout", config.dropout);
  metadata::read(arch, "label_dropout", config.label_dropout);
}

void validate_sizes(const UnetConfig& c) {
  using metadata::require_range;
  metadata::validate_images(c);
  require_range("model_channels", c.model_channels, 4, most_width);
  require_range("channel_mult_emb", c.channel_mult_emb, 1, most_multiple);
  require_range("channel_mult_noise", c.channel_mult_noise, 1, most_multiple);
  require_range("num_blocks", c.num_blocks, 1, most_blocks);
  require_range("augment_dim", c.augment_dim, 0, most_classes);
  for (const std::int64_t multiple : c.channel_mult) require_range("channel_mult", multiple, 1, most_multiple);
}

}  // namespace

double least_weights(const UnetConfig& c) {
  const auto wide = [](std::int64_t count) { return static_cast<double>(count); };
  const double embedding = wide(c.model_channels) * wide(c.channel_mult_emb),
               noise = wide(c.model_channels) * (c.adm() ? 1 : wide(c.channel_mult_noise));
  double sum =
      (noise + embedding) * embedding + wide(c.label_dim) * (c.adm() ? embedding : noise) + wide(c.augment_dim) * noise;
  for (const std::int64_t multiple : c.channel_mult) {
    const double out = wide(c.model_channels) * wide(multiple);
    const double blocks = wide(c.num_blocks);  // of the encoder; the decoder has one more
    // Two convolutions in each block, of 9 * out^2 weights or, in the mean, more; a layer from the embedding.
    sum += 9 * out * out * (2 * blocks + 2 * (blocks + 1)) + embedding * out * (2 * blocks + 1);
  }
  return sum;
}

void validate(const UnetConfig& c) {
  metadata::require(c.model_type == "SongUNet" || c.adm(), "model_type", c.model_type, "SongUNet, DhariwalUNet");
  metadata::require(c.embedding_type == "positional" || c.embedding_type == "fourier", "embedding_type",
                    c.embedding_type, "positional, fourier");
  metadata::require(c.encoder_type == "standard" || c.encoder_type == "residual", "encoder_type", c.encoder_type,
                    "standard, residual");
  metadata::require(c.decoder_type == "standard", "decoder_type", c.decoder_type, "standard");
  validate_sizes(c);
  metadata::require(c.model_channels % 4 == 0, "model_channels", std::to_string(c.model_channels), "multiples of 4");
  metadata::require(!c.channel_mult.empty() && c.channel_mult.size() <= most_resolutions, "the length of channel_mult",
                    std::to_string(c.channel_mult.size()), "1 to " + std::to_string(most_resolutions));
  const std::int64_t finest_step = std::int64_t{1} << (c.channel_mult.size() - 1);
  metadata::require(c.img_resolution % finest_step == 0, "img_resolution", std::to_string(c.img_resolution),
                    "multiples of " + std::to_string(finest_step));
  metadata::require(
      c.resample_filter.size() >= 2 && c.resample_filter.size() % 2 == 0 && c.resample_filter.size() <= most_taps,
      "the length of resample_filter", std::to_string(c.resample_filter.size()),
      "2, 4, ..., " + std::to_string(most_taps));
  metadata::require(c.sigma_data > 0, "sigma_data", std::to_string(c.sigma_data), "positive numbers");
  metadata::require(c.dropout >= 0 && c.dropout < 1, "dropout", std::to_string(c.dropout), "[0, 1)");
}

UnetConfig parse_unet_config(const std::map<std::string, std::string>& entries) {
  UnetConfig config;
  metadata::read_images(entries, config);
  const nlohmann::json top{{"sigma_data", metadata::parsed(entries, "sigma_data")}};
  metadata::read(top, "sigma_data", config.sigma_data);
  read_arch(metadata::parsed_arch(entries), config);
  validate(config);
  return config;
}

std::map<std::string, std::string> to_metadata(const UnetConfig& c) {
  nlohmann::ordered_json arch;
  arch["model_type"] = c.model_type;
  if (!c.adm()) {
    arch["embedding_type"] = c.embedding_type;
    arch["encoder_type"] = c.encoder_type;
    arch["decoder_type"] = c.decoder_type;
    arch["channel_mult_noise"] = c.channel_mult_noise;
    arch["resample_filter"] = c.resample_filter;
  }
  arch["model_channels"] = c.model_channels;
  arch["channel_mult"] = c.channel_mult;
  arch["channel_mult_emb"] = c.channel_mult_emb;
  arch["num_blocks"] = c.num_blocks;
  arch["attn_resolutions"] = c.attn_resolutions;
  if (c.augment_dim > 0) arch["augment_dim"] = c.augment_dim;
  if (c.dropout > 0) arch["dropout"] = c.dropout;
  if (c.label_dropout > 0) arch["label_dropout"] = c.label_dropout;
  std::map<std::string, std::string> entries = metadata::image_entries(c);
  entries["arch"] = arch.dump();
  entries["sigma_data"] = nlohmann::json(c.sigma_data).dump();
  return entries;
}

}  // namespace fewstep::examples
