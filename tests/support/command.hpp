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
  /// @param before     of the shell, such as "ulimit -f 8 &&"
  Outcome run(const std::string& command, const std::string& arguments, const std::string& before = "") const {
    return shell(before + " " + program(command) + " " + arguments);
  }

  /// The quoted path of a command.
  static std::string program(const std::string& command) {
    const char* folder = std::getenv("FEWSTEP_EXAMPLES_BIN");
    REQUIRE(folder);
    return "'" + std::string(folder) + "/" + command + "'";
  }

  /// @param commands  in the shell's syntax
  Outcome shell(const std::string& commands) const {
    const std::string line = "exec 2>&1; cd '" + dir.string() + "' || exit; " + commands;
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
