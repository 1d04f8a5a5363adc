// Runs the commands of the examples as programs, from the shell.
#pragma once

#include "catch.hpp"

#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace fewstep::test {

struct Outcome {
  int code;
  std::string text;  // stdout and stderr
};

/// An empty folder in which commands run; removed by the destructor.
class Scratch {
 public:
  const std::filesystem::path dir;
  explicit Scratch(const std::string& name) : dir(std::filesystem::path(FEWSTEP_BINARY_DIR) / ("scratch_" + name)) {
    std::filesystem::remove_all(dir);
    std::filesystem::create_directories(dir);
  }
  ~Scratch() { std::filesystem::remove_all(dir); }
  Scratch(const Scratch&) = delete;

  /// Runs a command, found in the folder that the variable FEWSTEP_EXAMPLES_BIN names (set by ctest).
  /// @param arguments  in the shell's syntax
  Outcome run(const std::string& command, const std::string& arguments) const {
    const char* folder = std::getenv("FEWSTEP_EXAMPLES_BIN");
    REQUIRE(folder);
    const std::string line = "cd '" + dir.string() + "' && '" + folder + "/" + command + "' " + arguments + " 2>&1";
    std::FILE* pipe = ::popen(line.c_str(), "r");
    REQUIRE(pipe);
    std::string text;
    std::array<char, 4096> part;
    while (const auto n = std::fread(part.data(), 1, part.size(), pipe)) text.append(part.data(), n);
    const int status = ::pclose(pipe);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, text};
  }

  std::string bytes(const std::string& file) const {
    std::ifstream in(dir / file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
};

}  // namespace fewstep::test
