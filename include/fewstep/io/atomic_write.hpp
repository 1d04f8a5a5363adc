// Files that are complete or absent: written beside their destination, then renamed over it.
#pragma once

#include "file_error.hpp"

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <random>
#include <stdexcept>
#include <string>
#include <system_error>

namespace fewstep::io {

/// Writes a file by passing an output stream to `write`, so that `path` never holds an incomplete file. The data go to
/// a ".part" file beside it, which replaces `path` once it is complete. If `write` throws or the disk is full, the
/// ".part" file is removed, an older `path` stays, and the error is passed on. If several threads or processes write
/// one path, the last to finish wins.
///
/// @param write  called as write(std::ostream&)
/// @throws std::runtime_error "writing PATH failed: REASON", with the operating system's reason.
template <class Write>
void atomic_write(const std::filesystem::path& path, Write&& write) {
  std::filesystem::path part = path;
  part += "." + std::to_string(std::random_device{}()) + ".part";  // a name that no other writer uses
  const auto require_success = [&](bool success, const std::error_code& reason) {
    if (!success) throw std::runtime_error("writing " + printable(path.string()) + " failed: " + reason.message());
  };
  const auto last_error = [] { return std::error_code(errno ? errno : EIO, std::generic_category()); };
  try {
    errno = 0;
    {
      std::ofstream out(part, std::ios::binary | std::ios::trunc);
      require_success(out.good(), last_error());
      write(out);
      out.close();
      require_success(out.good(), last_error());
    }
    std::error_code error;
    std::filesystem::rename(part, path, error);
    require_success(!error, error);
  } catch (...) {
    std::error_code ignored;
    std::filesystem::remove(part, ignored);
    throw;
  }
}

}  // namespace fewstep::io
