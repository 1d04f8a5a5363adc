#include "unet_config.hpp"

#include <fewstep/io/json_file.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <exception>
#include <stdexcept>
#include <string_view>

namespace fewstep::examples {

namespace {

template <class T>
void read(const nlohmann::json& json, const char* key, T& value) {
  if (!json.contains(key)) return;
  try {
    value = json.at(key).get<T>();
  } catch (const nlohmann::json::exception&) {
    throw std::runtime_error(std::string("metadata: ") + key + " has the unusable value " + json.at(key).dump());
  }
}

constexpr std::int64_t largest = 65'536;      // of any size
constexpr std::size_t most_resolutions = 16;  // of one network

void require(bool allowed, const std::string& name, const std::string& value, const std::string& what) {
  if (!allowed) throw std::runtime_error("metadata: " + name + " is " + value + "; allowed: " + what);
}

/// Reads the architecture, a JSON object whose entries may all be missing.
void read_arch(const nlohmann::json& arch, UnetConfig& config) {
  if (!arch.is_object()) throw std::runtime_error("metadata: arch must be a JSON object");
  constexpr std::array<std::string_view, 14> known{
      "model_type",       "embedding_type", "encoder_type",     "decoder_type",       "resample_filter",
      "model_channels",   "channel_mult",   "channel_mult_emb", "channel_mult_noise", "num_blocks",
      "attn_resolutions", "augment_dim",    "dropout",          "label_dropout"};
  for (const auto& [key, value] : arch.items())
    if (std::find(known.begin(), known.end(), key) == known.end())
      throw std::runtime_error("metadata: arch has the unknown entry " + key);
  read(arch, "model_type", config.model_type);
  if (config.adm()) {  // whose defaults differ from those of SongUNet
    config.model_channels = 192;
    config.channel_mult = {1, 2, 3, 4};
    config.num_blocks = 3;
    config.attn_resolutions = {32, 16, 8};
  }
  read(arch, "embedding_type", config.embedding_type);
  read(arch, "encoder_type", config.encoder_type);
  read(arch, "decoder_type", config.decoder_type);
  read(arch, "resample_filter", config.resample_filter);
  read(arch, "model_channels", config.model_channels);
  read(arch, "channel_mult", config.channel_mult);
  read(arch, "channel_mult_emb", config.channel_mult_emb);
  read(arch, "channel_mult_noise", config.channel_mult_noise);
  read(arch, "num_blocks", config.num_blocks);
  read(arch, "attn_resolutions", config.attn_resolutions);
  read(arch, "augment_dim", config.augment_dim);
  read(arch, "dropout", config.dropout);
  read(arch, "label_dropout", config.label_dropout);
}

}  // namespace

void validate(const UnetConfig& c) {
  require(c.model_type == "SongUNet" || c.adm(), "model_type", c.model_type, "SongUNet, DhariwalUNet");
  require(c.embedding_type == "positional" || c.embedding_type == "fourier", "embedding_type", c.embedding_type,
          "positional, fourier");
  require(c.encoder_type == "standard" || c.encoder_type == "residual", "encoder_type", c.encoder_type,
          "standard, residual");
  require(c.decoder_type == "standard", "decoder_type", c.decoder_type, "standard");
  const auto at_least = [](const char* name, std::int64_t value, std::int64_t least) {
    require(value >= least && value <= largest, name, std::to_string(value),
            std::to_string(least) + " to " + std::to_string(largest));
  };
  at_least("img_channels", c.img_channels, 1);
  at_least("img_resolution", c.img_resolution, 1);
  at_least("label_dim", c.label_dim, 0);
  at_least("model_channels", c.model_channels, 4);
  at_least("channel_mult_emb", c.channel_mult_emb, 1);
  at_least("channel_mult_noise", c.channel_mult_noise, 1);
  at_least("num_blocks", c.num_blocks, 1);
  at_least("augment_dim", c.augment_dim, 0);
  require(c.model_channels % 4 == 0, "model_channels", std::to_string(c.model_channels), "multiples of 4");
  require(!c.channel_mult.empty() && c.channel_mult.size() <= most_resolutions, "the length of channel_mult",
          std::to_string(c.channel_mult.size()), "1 to " + std::to_string(most_resolutions));
  for (const std::int64_t multiple : c.channel_mult) at_least("channel_mult", multiple, 1);
  const std::int64_t finest_step = std::int64_t{1} << (c.channel_mult.size() - 1);
  require(c.img_resolution % finest_step == 0, "img_resolution", std::to_string(c.img_resolution),
          "multiples of " + std::to_string(finest_step));
  require(c.resample_filter.size() >= 2 && c.resample_filter.size() % 2 == 0, "the length of resample_filter",
          std::to_string(c.resample_filter.size()), "2, 4, ...");
  require(c.sigma_data > 0, "sigma_data", std::to_string(c.sigma_data), "positive numbers");
  require(c.dropout >= 0 && c.dropout < 1, "dropout", std::to_string(c.dropout), "[0, 1)");
  require(c.label_dropout >= 0 && c.label_dropout <= 1, "label_dropout", std::to_string(c.label_dropout), "[0, 1]");
}

UnetConfig parse_unet_config(const std::map<std::string, std::string>& metadata) {
  const auto parsed = [&](const char* key) {
    const auto found = metadata.find(key);
    if (found == metadata.end()) throw std::runtime_error(std::string("metadata: ") + key + " is missing");
    try {
      return io::parse_json(found->second);
    } catch (const std::exception&) {
      throw std::runtime_error(std::string("metadata: ") + key + " has the unusable value " +
                               found->second.substr(0, 100));
    }
  };

  UnetConfig config;
  nlohmann::json top = nlohmann::json::object();
  for (const char* key : {"img_resolution", "img_channels", "label_dim", "sigma_data"}) top[key] = parsed(key);
  read(top, "img_resolution", config.img_resolution);
  read(top, "img_channels", config.img_channels);
  read(top, "label_dim", config.label_dim);
  read(top, "sigma_data", config.sigma_data);

  read_arch(parsed("arch"), config);
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
  return {{"arch", arch.dump()},
          {"img_resolution", std::to_string(c.img_resolution)},
          {"img_channels", std::to_string(c.img_channels)},
          {"label_dim", std::to_string(c.label_dim)},
          {"sigma_data", nlohmann::json(c.sigma_data).dump()}};
}

}  // namespace fewstep::examples
