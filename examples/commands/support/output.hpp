// Where results go.
#pragma once

#include <fewstep/errors.hpp>

#include <filesystem>
#include <string>

namespace fewstep::examples {

/// Refused before anything is computed, rather than after.
/// @param option     its name
/// @param path       empty: nothing is to be written
/// @param extension  of the file; empty: any
/// @param input      a file that is read and must stay as it is; empty: none
/// @throws std::invalid_argument naming the option.
inline void check_output(const std::string& option, const std::filesystem::path& path, const std::string& extension,
                         const std::filesystem::path& input = {}) {
  namespace fs = std::filesystem;
  if (path.empty()) return;
  require(extension.empty() || path.extension() == extension, option, path.string(), "files that end in " + extension);
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  require(fs::is_directory(folder) && path.has_filename(), option, path.string(), "files in a folder that exists");
  require(!fs::is_directory(path), option, path.string(), "files: this is a folder");
  std::error_code missing;
  require(input.empty() || !fs::equivalent(path, input, missing), option, path.string(),
          "another file than that which is read");
}

}  // namespace fewstep::examples
