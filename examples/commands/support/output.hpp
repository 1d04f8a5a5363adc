#pragma once

#include <filesystem>
#include <string>

namespace fewstep::examples {

/// Checks the path of a result before anything is computed.
/// @param option     named in the error
/// @param path       empty: nothing will be written
/// @param extension  that the path must have; empty: any
/// @param input      a file that must not be overwritten; empty: none
/// @throws std::invalid_argument naming the option.
void check_output(const std::string& option, const std::filesystem::path& path, const std::string& extension,
                  const std::filesystem::path& input = {});

}  // namespace fewstep::examples
