// Reading scheduler_config.json as Python's json writes it: with Infinity, -Infinity and NaN.
#pragma once

#include "../../errors.hpp"
#include "../file_error.hpp"
#include "../json_file.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

namespace fewstep::io {

/// parse_scheduler rejects text of more bytes than this. Files of diffusers have some hundreds.
inline constexpr std::size_t scheduler_size_limit = std::size_t{1} << 20;

namespace detail {

/// A number that Python's json writes and JSON does not have.
struct PythonNumber {
  std::string_view name;
  double value;
};
inline constexpr std::array<PythonNumber, 3> python_numbers{{{"-Infinity", -std::numeric_limits<double>::infinity()},
                                                             {"Infinity", std::numeric_limits<double>::infinity()},
                                                             {"NaN", std::numeric_limits<double>::quiet_NaN()}}};

/// Returns a text that does not occur in another.
inline std::string absent_from(std::string_view text) {
  std::string mark = "number ";
  while (text.find(mark) != text.npos) mark += '#';
  return mark;
}

/// Returns JSON with these numbers, outside of strings, as strings that begin with `mark`.
inline std::string with_marked_numbers(std::string_view text, const std::string& mark) {
  std::string marked;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size();) {
    if (!in_string) {
      const auto is_here = [&](const PythonNumber& number) { return text.substr(i).starts_with(number.name); };
      if (const auto* found = std::find_if(python_numbers.begin(), python_numbers.end(), is_here);
          found != python_numbers.end()) {
        marked.append("\"").append(mark).append(found->name).append("\"");
        i += found->name.size();
        continue;
      }
    } else if (text[i] == '\\' && i + 1 < text.size()) {
      marked += text[i++];
      marked += text[i++];
      continue;
    }
    in_string ^= text[i] == '"';
    marked += text[i++];
  }
  return marked;
}

/// Turns the marked strings into numbers.
inline void restore_numbers(nlohmann::json& json, const std::string& mark) {
  for (nlohmann::json& value : json) {
    if (value.is_structured()) restore_numbers(value, mark);
    if (!value.is_string() || !value.get_ref<const std::string&>().starts_with(mark)) continue;
    const std::string name = value.get<std::string>().substr(mark.size());
    for (const PythonNumber& number : python_numbers)
      if (number.name == name) value = number.value;
  }
}

}  // namespace detail

/// Parses the text of a scheduler_config.json by the rules of parse_json. The numbers Infinity, -Infinity and NaN are
/// allowed, since Python writes them: diffusers has lambda_min_clipped -Infinity by default.
///
/// @throws std::invalid_argument for text of more than scheduler_size_limit bytes, a key that an object has twice, deep
///         nesting, or JSON that is no object; nlohmann::json::exception for text that is not JSON.
inline nlohmann::json parse_scheduler(std::string_view text) {
  require(text.size() <= scheduler_size_limit, "the size of the text", text.size(),
          {scheduler_size_limit, " bytes or less"});
  const std::string mark = detail::absent_from(text);
  nlohmann::json json = parse_json(detail::with_marked_numbers(text, mark));
  require(json.is_object(), "the settings", json.type_name(), "an object");
  detail::restore_numbers(json, mark);
  return json;
}

namespace detail {

/// Reads the text of a regular file.
inline std::string scheduler_text(const std::filesystem::path& path) {
  require_regular_file(path);
  const std::uintmax_t size = std::filesystem::file_size(path);
  if (size > scheduler_size_limit)
    throw file_error(path, "has " + std::to_string(size) + " bytes; allowed: " + std::to_string(scheduler_size_limit));
  std::ifstream in(path, std::ios::binary);
  if (!in) throw file_error(path, "cannot be read");
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace detail

}  // namespace fewstep::io
