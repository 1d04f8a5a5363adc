#include "dit_config.hpp"

#include "metadata_reader.hpp"

#include <nlohmann/json.hpp>

namespace fewstep::examples {

void validate(const DitConfig& c) {
  using metadata::require, metadata::require_range;
  // Far beyond all published networks.
  constexpr std::int64_t most_patch = 64, most_width = 4'096, most_depth = 128, most_ratio = 64, most_tokens = 128;
  metadata::validate_images(c);
  require_range("patch_size", c.patch_size, 1, most_patch);
  require(c.img_resolution % (2 * c.patch_size) == 0, "img_resolution", std::to_string(c.img_resolution),
          "multiples of " + std::to_string(2 * c.patch_size));
  require_range("img_resolution / patch_size", c.side(), 2, most_tokens);
  require_range("hidden_size", c.hidden_size, 4, most_width);
  require(c.hidden_size % 4 == 0, "hidden_size", std::to_string(c.hidden_size), "multiples of 4");
  require_range("depth", c.depth, 1, most_depth);
  require_range("num_heads", c.num_heads, 1, c.hidden_size);
  require(c.hidden_size % c.num_heads == 0, "num_heads", std::to_string(c.num_heads),
          "divisors of hidden_size, " + std::to_string(c.hidden_size));
  require_range("mlp_ratio", c.mlp_ratio, 1, most_ratio);
}

double least_weights(const DitConfig& c) {
  const auto width = static_cast<double>(c.hidden_size), depth = static_cast<double>(c.depth);
  // Query, key, value and projection; the MLP's two layers; six vectors of modulation.
  return depth * width * width * (4 + 2 * static_cast<double>(c.mlp_ratio) + 6);
}

DitConfig parse_dit_config(const std::map<std::string, std::string>& entries) {
  DitConfig config;
  metadata::read_images(entries, config);
  const std::string& process = metadata::text(entries, "process");
  metadata::require(process == "flow", "process", process, "flow");

  const nlohmann::json arch = metadata::parsed_arch(entries);
  metadata::require_known(
      arch, {"model_type", "patch_size", "hidden_size", "depth", "num_heads", "mlp_ratio", "label_dropout"});
  std::string model_type;
  metadata::read(arch, "model_type", model_type);
  metadata::require(model_type == dit_model_type, "model_type", model_type, dit_model_type);
  metadata::read(arch, "patch_size", config.patch_size);
  metadata::read(arch, "hidden_size", config.hidden_size);
  metadata::read(arch, "depth", config.depth);
  metadata::read(arch, "num_heads", config.num_heads);
  metadata::read(arch, "mlp_ratio", config.mlp_ratio);
  metadata::read(arch, "label_dropout", config.label_dropout);
  validate(config);
  return config;
}

std::map<std::string, std::string> to_metadata(const DitConfig& c) {
  nlohmann::ordered_json arch;
  arch["model_type"] = dit_model_type;
  arch["patch_size"] = c.patch_size;
  arch["hidden_size"] = c.hidden_size;
  arch["depth"] = c.depth;
  arch["num_heads"] = c.num_heads;
  arch["mlp_ratio"] = c.mlp_ratio;
  if (c.label_dropout > 0) arch["label_dropout"] = c.label_dropout;
  std::map<std::string, std::string> entries = metadata::image_entries(c);
  entries["arch"] = arch.dump();
  entries["process"] = "flow";
  return entries;
}

}  // namespace fewstep::examples
