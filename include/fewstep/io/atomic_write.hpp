// Files that are complete or absent: written beside their destination, then renamed over it.
#pragma once

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
/// @throws std::runtime_error "PATH: WHAT" if the file cannot be opened or written; std::filesystem::filesystem_error
/// if
///         it cannot be renamed.
template <class Write>
void atomic_write(const std::filesystem::path& path, Write&& write) {
  std::filesystem::path part = path;
  part += "." + std::to_string(std::random_device{}()) + ".part";  // a name that no other writer uses
  try {
    {
      std::ofstream out(part, std::ios::binary | std::ios::trunc);
      if (!out) throw std::runtime_error(path.string() + ": cannot be written (folder missing or not writable)");
      write(out);
      out.close();
      if (!out) throw std::runtime_error(path.string() + ": writing failed (disk full?)");
    }
    std::filesystem::rename(part, path);
  } catch (...) {
    std::error_code ignored;
    std::filesystem::remove(part, ignored);
    throw;
  }
}

}  // namespace fewstep::io
