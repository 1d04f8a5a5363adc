// Errors that name the file.
#pragma once

#include "../errors.hpp"

#include <algorithm>
#include <exception>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

namespace fewstep::io {

using fewstep::printable;

/// Returns the error "PATH: WHAT": the first line of `what` that is not empty, printable.
inline std::runtime_error file_error(const std::filesystem::path& path, std::string_view what) {
  what.remove_prefix((std::min)(what.find_first_not_of("\n "), what.size()));
  return std::runtime_error(printable(path.string()) + ": " + printable(what.substr(0, what.find('\n'))));
}

/// @throws std::runtime_error "PATH: WHAT" unless the path is a regular file: a folder, a device or a pipe is not.
inline void require_regular_file(const std::filesystem::path& path) {
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) throw file_error(path, "no such file");
  if (std::filesystem::is_directory(status)) throw file_error(path, "a folder, not a file");
  if (!std::filesystem::is_regular_file(status)) throw file_error(path, "not a regular file");
}

namespace detail {

/// Returns f(). Exceptions that it throws become file_error(path, their text).
template <class F>
auto naming_file(const std::filesystem::path& path, F f) {
  try {
    return f();
  } catch (const std::exception& error) {
    throw file_error(path, error.what());
  }
}

}  // namespace detail

}  // namespace fewstep::io
