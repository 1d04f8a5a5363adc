// Settings in a JSON object, with errors that name them: "order is two; allowed: a number".
#pragma once

#include "../../errors.hpp"
#include "../json_file.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

namespace fewstep::io::detail {

/// The settings in a JSON object. A setting that is null counts as absent. Unknown settings are ignored.
class JsonSettings {
 public:
  /// @param json  must outlive this object
  explicit JsonSettings(const nlohmann::json& json) : json_(json) {}

  bool has(const char* name) const {
    const auto found = json_.find(name);
    return found != json_.end() && !found->is_null();
  }

  /// @throws std::invalid_argument for a setting that is absent or of another type.
  template <class T>
  T get(const char* name) const {
    require(has(name), name, "missing", kind<T>());
    const nlohmann::json& found = json_.at(name);
    try {
      return found.get<T>();
    } catch (const nlohmann::json::exception&) {
      refuse(name, text_for_message(found), kind<T>());
    }
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
  template <class T>
  static constexpr const char* kind() {
    if constexpr (std::is_same_v<T, bool>) return "true or false";
    else if constexpr (std::is_arithmetic_v<T>) return "a number";
    else if constexpr (std::is_same_v<T, std::string>) return "text";
    else return "a list";
  }

  const nlohmann::json& json_;
};

}  // namespace fewstep::io::detail
