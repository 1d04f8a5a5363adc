// Results on disk: tried before anything is computed, so that a full or read-only disk is found at once.
#pragma once

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <string>

namespace fewstep::examples {

/// Checks the path of a result before anything is computed: a file is written beside it and removed again. Until the
/// process ends, PATH.lock, which is then removed, keeps other processes from the same path.
/// @param option     named in the error
/// @param path       empty: nothing will be written
/// @param extension  that the path must have; empty: any
/// @param input      a file that must not be overwritten; empty: none
/// @throws std::invalid_argument naming the option; std::runtime_error "writing PATH failed: REASON".
void check_output(const std::string& option, const std::filesystem::path& path, const std::string& extension,
                  const std::filesystem::path& input = {});

/// Creates the folder of a cache, and checks that files can be written there. Several processes may share it.
/// @param option  named in the error
/// @param folder  empty: nothing will be written
/// @throws std::invalid_argument naming the option; std::runtime_error "writing PATH failed: REASON".
void check_output_folder(const std::string& option, const std::filesystem::path& folder);

/// A log to which lines are appended.
class Log {
 public:
  /// @throws std::runtime_error "writing PATH failed: REASON", as write().
  explicit Log(std::filesystem::path path);

  /// Appends text and a newline; they are on disk afterwards.
  void write(const std::string& text);

 private:
  void require_success() const;

  std::filesystem::path path_;
  std::ofstream file_;
};

}  // namespace fewstep::examples
