#include "unet_config.hpp"

#include <fewstep/io/json_file.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <exception>
#include <stdexcept>
#include <string_view>
#include <type_traits>
#include <utility>

namespace fewstep::examples {

namespace {

// Far beyond all published networks.
constexpr std::int64_t most_channels = 1'024, most_side = 4'096, most_classes = 65'536, most_width = 4'096,
                       most_multiple = 64, most_blocks = 64;
constexpr std::int64_t most_numbers = std::int64_t{1} << 26;  // of an image
constexpr std::size_t most_resolutions = 16, most_taps = 16;
constexpr std::size_t longest_value = 100;  // in a message

/// Whether JSON is a whole number that int64 holds. A conversion would round 2.9, and is undefined for 1e300.
bool is_whole(const nlohmann::json& json) {
  constexpr double most = 2'147'483'647;  // of those that are written with a point or an exponent
  if (json.is_number_unsigned()) return std::in_range<std::int64_t>(json.get<std::uint64_t>());
  if (json.is_number_float())
    return json.get<double>() == std::floor(json.get<double>()) && std::abs(json.get<double>()) <= most;
  return json.is_number_integer();
}

template <class T>
bool fits(const nlohmann::json& json) {
  if constexpr (std::is_same_v<T, std::int64_t>) return is_whole(json);
  if constexpr (std::is_same_v<T, std::vector<std::int64_t>>)
    return json.is_array() && std::all_of(json.begin(), json.end(), is_whole);
  return true;
}

template <class T>
void read(const nlohmann::json& json, const char* key, T& value) {
  if (!json.contains(key)) return;
  const auto fail = [&] {
    throw std::runtime_error(std::string("metadata: ") + key + " has the unusable value " +
                             json.at(key).dump().substr(0, longest_value));
  };
  if (!fits<T>(json.at(key))) fail();
  try {
    value = json.at(key).get<T>();
  } catch (const nlohmann::json::exception&) {
    fail();
  }
}

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

void validate_sizes(const UnetConfig& c) {
  const auto range = [](const char* name, std::int64_t value, std::int64_t least, std::int64_t most) {
    require(value >= least && value <= most, name, std::to_string(value),
            std::to_string(least) + " to " + std::to_string(most));
  };
  range("img_channels", c.img_channels, 1, most_channels);
  range("img_resolution", c.img_resolution, 1, most_side);
  range("img_channels * img_resolution^2", c.img_channels * c.img_resolution * c.img_resolution, 1, most_numbers);
  range("label_dim", c.label_dim, 0, most_classes);
  range("model_channels", c.model_channels, 4, most_width);
  range("channel_mult_emb", c.channel_mult_emb, 1, most_multiple);
  range("channel_mult_noise", c.channel_mult_noise, 1, most_multiple);
  range("num_blocks", c.num_blocks, 1, most_blocks);
  range("augment_dim", c.augment_dim, 0, most_classes);
  for (const std::int64_t multiple : c.channel_mult) range("channel_mult", multiple, 1, most_multiple);
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
  require(c.model_type == "SongUNet" || c.adm(), "model_type", c.model_type, "SongUNet, DhariwalUNet");
  require(c.embedding_type == "positional" || c.embedding_type == "fourier", "embedding_type", c.embedding_type,
          "positional, fourier");
  require(c.encoder_type == "standard" || c.encoder_type == "residual", "encoder_type", c.encoder_type,
          "standard, residual");
  require(c.decoder_type == "standard", "decoder_type", c.decoder_type, "standard");
  validate_sizes(c);
  require(c.model_channels % 4 == 0, "model_channels", std::to_string(c.model_channels), "multiples of 4");
  require(!c.channel_mult.empty() && c.channel_mult.size() <= most_resolutions, "the length of channel_mult",
          std::to_string(c.channel_mult.size()), "1 to " + std::to_string(most_resolutions));
  const std::int64_t finest_step = std::int64_t{1} << (c.channel_mult.size() - 1);
  require(c.img_resolution % finest_step == 0, "img_resolution", std::to_string(c.img_resolution),
          "multiples of " + std::to_string(finest_step));
  require(c.resample_filter.size() >= 2 && c.resample_filter.size() % 2 == 0 && c.resample_filter.size() <= most_taps,
          "the length of resample_filter", std::to_string(c.resample_filter.size()),
          "2, 4, ..., " + std::to_string(most_taps));
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
                               found->second.substr(0, longest_value));
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
