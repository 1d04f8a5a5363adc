#include "output.hpp"

#include <fewstep/errors.hpp>

#include <system_error>

namespace fewstep::examples {

void check_output(const std::string& option, const std::filesystem::path& path, const std::string& extension,
                  const std::filesystem::path& input) {
  namespace fs = std::filesystem;
  if (path.empty()) return;
  require(extension.empty() || path.extension() == extension, option, path.string(), "files that end in " + extension);
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  require(fs::is_directory(folder) && path.has_filename(), option, path.string(), "files in a folder that exists");
  require(!fs::is_directory(path), option, path.string(), "files: this is a folder");
  std::error_code missing;
  require(input.empty() || !fs::equivalent(path, input, missing), option, path.string(),
          "another file than the one that is read");
}

}  // namespace fewstep::examples
