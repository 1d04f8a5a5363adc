// Format entries of files: a name and a version, "fewstep solver table 2".
#pragma once

#include "../errors.hpp"
#include "json_file.hpp"

#include <stdexcept>
#include <string>

namespace fewstep::io {

/// Checks the format entry of a file and returns its version.
///
/// @param found   the file's entry; empty where it has none
/// @param newest  the format that is written, "NAME VERSION"; versions 1 to VERSION are read
/// @param what    the expected kind of file, with an article: "a solver table"
/// @throws std::invalid_argument for another version; std::runtime_error for another format.
inline int check_format(const std::string& found, const std::string& newest, const std::string& what) {
  const std::string name = newest.substr(0, newest.rfind(' ') + 1);
  const int last = std::stoi(newest.substr(name.size()));
  for (int version = 1; version <= last; ++version)
    if (found == name + std::to_string(version)) return version;
  if (found.starts_with(name))
    refuse("format", text_for_message(found), last == 1 ? newest : name + "1 to " + std::to_string(last));
  throw std::runtime_error("not " + what + " (no format entry '" + newest + "')");
}

}  // namespace fewstep::io
