// Files that are whole or absent: written beside their destination, then renamed over it.
#pragma once

#include <filesystem>
#include <fstream>
#include <random>
#include <stdexcept>
#include <string>

namespace fewstep::io {

/// Writes a file by handing an output stream to `write`, so that `path` never holds half a file: the data go to a
/// file beside it, ".part", which replaces `path` only once everything has reached it. When `write` throws, or the disk
/// refuses, the partial file is removed, an older `path` stays as it was, and the error is passed on. Of several that
/// write one path at once, in other threads or processes, the last to end stays.
///
/// @throws std::runtime_error naming the file when it cannot be opened, written or renamed.
template <class Write>
void atomic_write(const std::filesystem::path& path, Write&& write) {
  std::filesystem::path part = path;
  part += "." + std::to_string(std::random_device{}()) + ".part";  // nobody else's
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
