// The settings of a scheduler of diffusers: read as diffusers reads them, and remembered, so that the others can be
// listed.
#pragma once

#include "../../errors.hpp"
#include "../detail/json_settings.hpp"

#include <nlohmann/json.hpp>

#include <cmath>
#include <initializer_list>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace fewstep::io::detail {

/// Settings by name. Absent ones take a default. A null is Python's None: false for a flag, nothing for find(), refused
/// elsewhere, since diffusers fails on it.
class DiffusersSettings {
 public:
  /// @throws std::invalid_argument for JSON that is no object.
  explicit DiffusersSettings(const nlohmann::json& config) : json_(without_defaults(config)), settings_(json_) {}
  DiffusersSettings(const DiffusersSettings&) = delete;  // settings_ refers to json_

  /// Notes that diffusers' class reads these, whatever comes of them.
  void knows(std::initializer_list<const char*> names) const { read_.insert(names.begin(), names.end()); }

  bool flag(const char* name, bool otherwise = false) const {
    if (is_null(name)) return false;
    return settings_.get(name, otherwise);
  }
  bool flag_not_null(const char* name) const { return present(name).get(name, false); }
  double number(const char* name, double otherwise) const {
    const double value = present(name).get(name, otherwise);
    require(!std::isnan(value), name, value, "a number");
    return value;
  }
  double number(const char* name, double otherwise, double low, double high) const {
    const double value = number(name, otherwise);
    require(value >= low && value <= high, name, value, {low, " to ", high});
    return value;
  }
  double positive(const char* name, double otherwise) const {
    const double value = number(name, otherwise);
    require(value > 0 && std::isfinite(value), name, value, "positive numbers");
    return value;
  }
  int whole(const char* name, int otherwise, int low, int high = (std::numeric_limits<int>::max)()) const {
    return present(name).get(name, otherwise, low, high);
  }
  template <class T>
  std::optional<T> find(const char* name) const {
    knows({name});
    return settings_.find<T>(name);
  }
  std::string choice(const char* name, const char* otherwise, const std::vector<std::string>& allowed) const {
    return present(name).choice(name, otherwise, allowed);
  }

  /// Returns _class_name.
  std::string class_name() const {
    const auto found = json_.find("_class_name");
    require(found != json_.end(), "_class_name", "missing", "text");
    require(found->is_string(), "_class_name", text_for_message(*found), "text");
    return found->get<std::string>();
  }

  /// @throws std::invalid_argument when the setting is given, and neither null nor false.
  void require_off(const char* name) const {
    knows({name});
    const auto found = json_.find(name);
    if (found == json_.end() || found->is_null() || *found == false) return;
    refuse(name, text_for_message(*found), found->is_boolean() ? "false" : "null");
  }

  /// Returns the settings that were not read, without diffusers' own bookkeeping.
  std::vector<std::string> ignored() const {
    std::vector<std::string> names;
    for (const auto& [name, value] : json_.items())
      if (!name.starts_with('_') && !read_.contains(name)) names.push_back(name);
    return names;
  }

 private:
  /// Diffusers lists in _use_default_values the settings that it wrote but does not read.
  static nlohmann::json without_defaults(const nlohmann::json& config) {
    nlohmann::json json = config;
    const auto defaults = config.is_object() ? config.find("_use_default_values") : config.end();
    if (config.is_object() && defaults != config.end() && defaults->is_array())
      for (const auto& name : *defaults)
        if (name.is_string()) json.erase(name.get<std::string>());
    return json;
  }
  bool is_null(const char* name) const {
    knows({name});
    const auto found = json_.find(name);
    return found != json_.end() && found->is_null();
  }
  const JsonSettings& present(const char* name) const {
    if (is_null(name)) refuse(name, "null", "a value, or none at all");
    return settings_;
  }

  nlohmann::json json_;
  JsonSettings settings_;
  mutable std::set<std::string> read_;
};

}  // namespace fewstep::io::detail
