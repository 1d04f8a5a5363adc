// Values of a file's JSON with errors that name them: "rows[2].carry is one; allowed: numbers".
#pragma once

#include "../../errors.hpp"
#include "../json_file.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace fewstep::io::detail {

/// A JSON object and its place in the file: "" for the outermost one, else "rows[2]".
class JsonObject {
 public:
  /// @param known  the keys that it may have
  /// @throws std::invalid_argument for another key, or a value that is not an object.
  /// @param whole  what the outermost object is called
  JsonObject(const nlohmann::json& json, std::string place, const std::vector<std::string>& known,
             const std::string& whole = "the table")
      : json_(json), place_(std::move(place)) {
    const std::string what = place_.empty() ? whole : place_;
    require(json.is_object(), what, json.type_name(), "object");
    std::string all;
    for (const auto& key : known) all += (all.empty() ? "" : ", ") + key;
    for (const auto& [key, value] : json.items())
      require(std::find(known.begin(), known.end(), key) != known.end(), "a key of " + what, text_for_message(key),
              all);
  }

  bool has(const std::string& key) const { return json_.contains(key); }

  const nlohmann::json& at(const std::string& key) const {
    require(has(key), path(key), "missing", "a value");
    return json_.at(key);
  }
  double number(const std::string& key) const { return number(at(key), path(key)); }
  double number(const std::string& key, double otherwise) const { return has(key) ? number(key) : otherwise; }
  std::string text(const std::string& key) const {
    const nlohmann::json& found = at(key);
    require(found.is_string(), path(key), text_for_message(found), "text");
    return found.get<std::string>();
  }
  std::string text(const std::string& key, const std::string& otherwise) const {
    return has(key) ? text(key) : otherwise;
  }
  bool flag(const std::string& key, bool otherwise) const {
    if (!has(key)) return otherwise;
    require(at(key).is_boolean(), path(key), text_for_message(at(key)), "true or false");
    return at(key).get<bool>();
  }
  /// A whole number, 0 or more.
  std::int64_t whole(const std::string& key, std::int64_t otherwise) const {
    if (!has(key)) return otherwise;
    constexpr double most = 1e15;
    const double value = number(key);
    require(value >= 0 && value <= most && value == std::floor(value), path(key), value, "whole numbers, 0 or more");
    return static_cast<std::int64_t>(value);
  }
  /// Returns the place of a key: "rows[2].carry".
  std::string path(const std::string& key) const { return place_.empty() ? key : place_ + "." + key; }
  const nlohmann::json& list(const std::string& key) const {
    const nlohmann::json& found = at(key);
    require(found.is_array(), path(key), found.type_name(), "array");
    return found;
  }
  std::vector<double> numbers(const std::string& key) const {
    std::vector<double> all;
    for (const auto& one : list(key)) all.push_back(number(one, element(key, all.size())));
    return all;
  }
  std::vector<std::vector<double>> number_lists(const std::string& key) const {
    std::vector<std::vector<double>> all;
    for (const auto& one : list(key)) {
      const std::string place = element(key, all.size());
      require(one.is_array(), place, one.type_name(), "array");
      all.emplace_back();
      for (const auto& value : one)
        all.back().push_back(number(value, place + "[" + std::to_string(all.back().size()) + "]"));
    }
    return all;
  }
  std::vector<bool> flags(const std::string& key) const {
    std::vector<bool> all;
    for (const auto& one : list(key)) {
      require(one.is_boolean(), element(key, all.size()), text_for_message(one), "true or false");
      all.push_back(one.get<bool>());
    }
    return all;
  }

  /// Returns the place of element k of the list at a key: "rows[2].midpoints[0]".
  std::string element(const std::string& key, std::size_t k) const { return path(key) + "[" + std::to_string(k) + "]"; }

 private:
  static double number(const nlohmann::json& json, const std::string& name) {
    require(json.is_number(), name, text_for_message(json), "numbers");
    return json.get<double>();
  }

  const nlohmann::json& json_;
  std::string place_;
};

}  // namespace fewstep::io::detail
