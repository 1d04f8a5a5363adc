// JSON that a stranger may have written.
#pragma once

#include "../errors.hpp"

#include <nlohmann/json.hpp>

#include <set>
#include <string>
#include <vector>

namespace fewstep::io::detail {

/// What is no UTF-8, as a path in a command may be, is replaced: it is no reason to lose what was computed.
/// @param indent  of lines, one value to each; -1: all on one
template <class Json>
std::string text_of(const Json& j, int indent) {
  return j.dump(indent, ' ', false, Json::error_handler_t::replace);
}

/// The parser alone would take the last of the values of a key, and nest as deep as the text does: deeper than
/// functions that call themselves for each level can go.
/// @throws std::exception that says what is wrong
template <class Text>
nlohmann::json parse_json(Text&& text) {
  using Event = nlohmann::json::parse_event_t;
  std::vector<std::set<std::string>> keys;  // of the objects around
  return nlohmann::json::parse(text, [&](int depth, Event event, nlohmann::json& value) {
    require(depth < 16, "the depth of nesting", depth, "less than 16");
    if (event == Event::object_start) keys.emplace_back();
    if (event == Event::object_end) keys.pop_back();
    if (event == Event::key && !keys.back().insert(value.get<std::string>()).second)
      require(false, value.get<std::string>(), "given twice", "once");
    return true;
  });
}

}  // namespace fewstep::io::detail
