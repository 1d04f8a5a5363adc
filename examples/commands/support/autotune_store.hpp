// The state of an unfinished `autotune`.
#pragma once

#include <fewstep/fitting/autotuning/options.hpp>

#include <filesystem>
#include <optional>
#include <string>

namespace fewstep::examples {

struct StoredSearch {
  std::size_t calls = 0;  // that the search may take
  AutotuneState state;
};

/// @param command  everything that decides the search
/// @throws std::runtime_error if the file cannot be written.
void write_search(const std::filesystem::path& path, const std::string& command, const StoredSearch& search);

/// @return nothing if there is no file
/// @throws std::runtime_error for a malformed file, and for one of another command.
std::optional<StoredSearch> read_search(const std::filesystem::path& path, const std::string& command);

}  // namespace fewstep::examples
