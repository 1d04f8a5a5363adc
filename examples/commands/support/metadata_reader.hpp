// Reading a network's configuration from the metadata of a safetensors file. Errors name the entry.
#pragma once

#include "image_config.hpp"

#include <fewstep/io/json_file.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace fewstep::examples::metadata {

inline constexpr std::size_t longest_value = 100;  // in a message

/// Whether JSON is a whole number that int64 holds. A conversion would round 2.9, and is undefined for 1e300.
inline bool is_whole(const nlohmann::json& json) {
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

[[noreturn]] inline void fail_unusable(const std::string& key, const std::string& value) {
  throw std::runtime_error("metadata: " + key + " has the unusable value " + value.substr(0, longest_value));
}

/// Reads an entry of a JSON object. A missing one leaves the value as it is.
template <class T>
void read(const nlohmann::json& json, const char* key, T& value) {
  if (!json.contains(key)) return;
  if (!fits<T>(json.at(key))) fail_unusable(key, json.at(key).dump());
  try {
    value = json.at(key).get<T>();
  } catch (const nlohmann::json::exception&) {
    fail_unusable(key, json.at(key).dump());
  }
}

inline void require(bool allowed, const std::string& name, const std::string& value, const std::string& what) {
  if (!allowed) throw std::runtime_error("metadata: " + name + " is " + value + "; allowed: " + what);
}

inline void require_range(const char* name, std::int64_t value, std::int64_t least, std::int64_t most) {
  require(value >= least && value <= most, name, std::to_string(value),
          std::to_string(least) + " to " + std::to_string(most));
}

/// The text of an entry.
inline const std::string& text(const std::map<std::string, std::string>& entries, const char* key) {
  const auto found = entries.find(key);
  if (found == entries.end()) throw std::runtime_error(std::string("metadata: ") + key + " is missing");
  return found->second;
}

/// An entry that holds JSON.
inline nlohmann::json parsed(const std::map<std::string, std::string>& entries, const char* key) {
  const std::string& value = text(entries, key);
  try {
    return io::parse_json(value);
  } catch (const std::exception&) {
    fail_unusable(key, value);
  }
}

/// The architecture, a JSON object. An unknown entry is an error, since it may change what the network computes.
inline nlohmann::json parsed_arch(const std::map<std::string, std::string>& entries) {
  nlohmann::json arch = parsed(entries, "arch");
  if (!arch.is_object()) throw std::runtime_error("metadata: arch must be a JSON object");
  return arch;
}
inline void require_known(const nlohmann::json& arch, std::initializer_list<std::string_view> known) {
  for (const auto& [key, value] : arch.items())
    if (std::find(known.begin(), known.end(), key) == known.end())
      throw std::runtime_error("metadata: arch has the unknown entry " + key);
}

/// The parts of a text between commas.
inline std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  std::istringstream all(text);
  for (std::string part; std::getline(all, part, ',');) parts.push_back(part);
  return parts;
}

/// Reads img_resolution, img_channels, label_dim and labels, which may be missing.
inline void read_images(const std::map<std::string, std::string>& entries, ImageConfig& config) {
  nlohmann::json top = nlohmann::json::object();
  for (const char* key : {"img_resolution", "img_channels", "label_dim"}) top[key] = parsed(entries, key);
  read(top, "img_resolution", config.img_resolution);
  read(top, "img_channels", config.img_channels);
  read(top, "label_dim", config.label_dim);
  if (entries.contains("labels")) config.labels = split(entries.at("labels"));
}

/// Limits far beyond all published networks.
inline void validate_images(const ImageConfig& c) {
  constexpr std::int64_t most_channels = 1'024, most_side = 4'096, most_classes = 65'536;
  constexpr std::int64_t most_numbers = std::int64_t{1} << 26;  // of an image
  require_range("img_channels", c.img_channels, 1, most_channels);
  require_range("img_resolution", c.img_resolution, 1, most_side);
  require_range("img_channels * img_resolution^2", c.img_channels * c.img_resolution * c.img_resolution, 1,
                most_numbers);
  require_range("label_dim", c.label_dim, 0, most_classes);
  require(c.labels.empty() || std::ssize(c.labels) == c.label_dim, "the number of labels",
          std::to_string(c.labels.size()), std::to_string(c.label_dim) + ", as label_dim");
  require(c.label_dropout >= 0 && c.label_dropout <= 1, "label_dropout", std::to_string(c.label_dropout), "[0, 1]");
}

/// The inverse of read_images().
inline std::map<std::string, std::string> image_entries(const ImageConfig& c) {
  std::map<std::string, std::string> entries{{"img_resolution", std::to_string(c.img_resolution)},
                                             {"img_channels", std::to_string(c.img_channels)},
                                             {"label_dim", std::to_string(c.label_dim)}};
  std::string labels;
  for (const std::string& label : c.labels) labels += (labels.empty() ? "" : ",") + label;
  if (!labels.empty()) entries["labels"] = labels;
  return entries;
}

}  // namespace fewstep::examples::metadata
