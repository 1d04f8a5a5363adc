// Errors that name the file.
#pragma once

#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>

namespace fewstep::io {

/// @return the error "PATH: WHAT", with the first line of `what` only
inline std::runtime_error file_error(const std::filesystem::path& path, std::string_view what) {
  return std::runtime_error(path.string() + ": " + std::string(what.substr(0, what.find('\n'))));
}

}  // namespace fewstep::io
