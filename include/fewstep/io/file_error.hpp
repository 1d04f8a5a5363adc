// Errors that name the file.
#pragma once

#include <exception>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>

namespace fewstep::io {

/// Returns the error "PATH: WHAT", with the first line of `what` only.
inline std::runtime_error file_error(const std::filesystem::path& path, std::string_view what) {
  return std::runtime_error(path.string() + ": " + std::string(what.substr(0, what.find('\n'))));
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
