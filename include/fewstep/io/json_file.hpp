// JSON files, and JSON in text from an untrusted source.
#pragma once

#include "../errors.hpp"
#include "atomic_write.hpp"
#include "file_error.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>
#include <ostream>
#include <set>
#include <string>
#include <system_error>
#include <vector>

namespace fewstep::io {

/// parse_json rejects text whose arrays and objects nest this deep. The files of this library nest at most 5 deep.
inline constexpr int json_depth_limit = 16;

/// Returns JSON as text. Bytes that are not UTF-8 become U+FFFD, so that a path in a recorded command cannot make
/// writing a result fail.
///
/// @param indent  spaces per level, one value per line; -1: everything on one line
template <class Json>
std::string dump_json(const Json& json, int indent = -1) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

/// Returns a JSON value for an error message: on one line, in ASCII, control characters escaped (a terminal would obey
/// them), arrays and objects as "array" and "object".
inline std::string text_for_message(const nlohmann::json& json) {
  if (json.is_structured()) return json.type_name();
  const std::string text = json.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  return json.is_string() ? text.substr(1, text.size() - 2) : text;
}

/// Parses untrusted JSON. Stricter than nlohmann::json::parse, which keeps the last of several values of one key and
/// recurses as deep as the text nests.
///
/// @param text  a string or an input stream
/// @throws std::invalid_argument for a key that an object has twice, or for nesting as deep as json_depth_limit;
///         nlohmann::json::exception for text that is not JSON.
template <class Text>
nlohmann::json parse_json(Text&& text) {
  using Event = nlohmann::json::parse_event_t;
  std::vector<std::set<std::string>> keys;  // of each enclosing object
  return nlohmann::json::parse(text, [&](int depth, Event event, nlohmann::json& value) {
    require(depth < json_depth_limit, "the depth of nesting", depth, "less than " + std::to_string(json_depth_limit));
    if (event == Event::object_start) keys.emplace_back();
    if (event == Event::object_end) keys.pop_back();
    if (event == Event::key && !keys.back().insert(value.get<std::string>()).second)
      refuse(text_for_message(value), "given twice", "once");
    return true;
  });
}

/// Reads a JSON file by the rules of parse_json.
///
/// @throws std::runtime_error "PATH: WHAT" if the file cannot be read or is malformed.
inline nlohmann::json read_json(const std::filesystem::path& path) {
  std::error_code error;
  if (const auto status = std::filesystem::status(path, error); !std::filesystem::exists(status))
    throw file_error(path, "no such file");
  else if (std::filesystem::is_directory(status)) throw file_error(path, "a folder, not a file");
  std::ifstream in(path);  // may be a pipe: a user's own, since no file names another file by this function
  if (!in) throw file_error(path, "cannot be read");
  return detail::naming_file(path, [&] { return parse_json(in); });
}

/// Writes a JSON file, atomically, with an indentation of one space and a line break at the end.
///
/// @throws std::runtime_error as atomic_write.
template <class Json>
void write_json(const std::filesystem::path& path, const Json& json) {
  atomic_write(path, [&](std::ostream& out) { out << dump_json(json, 1) << "\n"; });
}

}  // namespace fewstep::io
