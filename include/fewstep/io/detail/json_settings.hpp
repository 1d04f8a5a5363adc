// Settings in a JSON object, with errors that name them: "order is two; allowed: a number".
#pragma once

#include "../../errors.hpp"
#include "../json_file.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace fewstep::io::detail {

/// The settings in a JSON object. A setting that is null counts as absent. Unknown settings are ignored.
class JsonSettings {
 public:
  /// @param json  must outlive this object
  /// @throws std::invalid_argument for JSON that is no object.
  explicit JsonSettings(const nlohmann::json& json) : json_(json) {
    require(json.is_object(), "the settings", json.type_name(), "an object");
  }

  bool has(const char* name) const {
    const auto found = json_.find(name);
    return found != json_.end() && !found->is_null();
  }

  /// @throws std::invalid_argument for a setting that is absent, of another type, or a whole number that T cannot hold.
  template <class T>
  T get(const char* name) const {
    require(has(name), name, "missing", kind<T>());
    const nlohmann::json& found = json_.at(name);
    if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>)
      if (!is_whole<T>(found)) refuse(name, text_for_message(found), kind<T>());
    try {
      return found.get<T>();
    } catch (const nlohmann::json::exception&) {
      refuse(name, text_for_message(found), kind<T>());
    }
  }
  /// @throws std::invalid_argument also for a number that is not in [low, high].
  template <class T>
  T get(const char* name, T otherwise, T low, T high) const {
    const T value = get(name, otherwise);
    require(value >= low && value <= high, name, value, {low, " to ", high});
    return value;
  }
  template <class T>
  std::optional<T> find(const char* name) const {
    return has(name) ? get<T>(name) : std::optional<T>();
  }
  template <class T>
  T get(const char* name, const T& otherwise) const {
    return has(name) ? get<T>(name) : otherwise;
  }

  /// Returns a setting that has one of the allowed values.
  /// @throws std::invalid_argument listing the allowed values.
  std::string choice(const char* name, const char* otherwise, const std::vector<std::string>& allowed) const {
    const auto value = get<std::string>(name, otherwise);
    if (std::find(allowed.begin(), allowed.end(), value) != allowed.end()) return value;
    std::string list;
    for (const std::string& one : allowed) list += (list.empty() ? "" : ", ") + one;
    refuse(name, text_for_message(value), list);
  }

 private:
  /// Whether T holds the number: a conversion would round 2.9, wrap -1, and is undefined for 1e300.
  template <class T>
  static bool is_whole(const nlohmann::json& json) {
    if (json.is_number_unsigned()) return std::in_range<T>(json.get<std::uint64_t>());
    if (json.is_number_integer()) return std::in_range<T>(json.get<std::int64_t>());
    const double value = json.is_number() ? json.get<double>() : 0.5;
    return value == std::floor(value) && std::abs(value) <= (std::numeric_limits<std::int32_t>::max)() &&
           std::in_range<T>(static_cast<std::int64_t>(value));
  }
  template <class T>
  static constexpr const char* kind() {
    if constexpr (std::is_same_v<T, bool>) return "true or false";
    else if constexpr (std::is_integral_v<T>)
      return std::is_signed_v<T> ? "a whole number" : "a whole number, 0 or more";
    else if constexpr (std::is_arithmetic_v<T>) return "a number";
    else if constexpr (std::is_same_v<T, std::string>) return "text";
    else return "a list";
  }

  const nlohmann::json& json_;
};

}  // namespace fewstep::io::detail
