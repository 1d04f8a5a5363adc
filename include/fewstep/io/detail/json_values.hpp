// Values of a table's JSON with errors that name them: "rows[2].carry is one; allowed: numbers".
#pragma once

#include "../../errors.hpp"
#include "../json_file.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace fewstep::io::detail {

/// A JSON object and its place in the table: "" for the table itself, else "rows[2]".
class JsonObject {
 public:
  /// @param known  the keys that it may have
  /// @throws std::invalid_argument for another key, or a value that is not an object.
  JsonObject(const nlohmann::json& json, std::string place, const std::vector<std::string>& known)
      : json_(json), place_(std::move(place)) {
    const std::string what = place_.empty() ? "the table" : place_;
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

  /// Returns the place of element k of the list at a key: "rows[2].midpoints[0]".
  std::string element(const std::string& key, std::size_t k) const { return path(key) + "[" + std::to_string(k) + "]"; }

 private:
  std::string path(const std::string& key) const { return place_.empty() ? key : place_ + "." + key; }
  static double number(const nlohmann::json& json, const std::string& name) {
    require(json.is_number(), name, text_for_message(json), "numbers");
    return json.get<double>();
  }

  const nlohmann::json& json_;
  std::string place_;
};

}  // namespace fewstep::io::detail
