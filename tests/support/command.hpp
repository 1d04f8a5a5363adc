// The examples' commands, run as their users run them. ctest says in FEWSTEP_EXAMPLES_BIN where they are.
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

/// A fresh folder, gone at the end, in which commands run.
class Scratch {
 public:
  const std::filesystem::path dir;
  explicit Scratch(const std::string& name) : dir(std::filesystem::path(FEWSTEP_BINARY_DIR) / ("scratch_" + name)) {
    std::filesystem::remove_all(dir);
    std::filesystem::create_directories(dir);
  }
  ~Scratch() { std::filesystem::remove_all(dir); }

  Outcome run(const std::string& program, const std::string& arguments) const {
    const char* folder = std::getenv("FEWSTEP_EXAMPLES_BIN");
    REQUIRE(folder);
    const std::string command = "cd '" + dir.string() + "' && '" + folder + "/" + program + "' " + arguments + " 2>&1";
    FILE* pipe = popen(command.c_str(), "r");
    REQUIRE(pipe);
    Outcome outcome{0, {}};
    std::array<char, 4096> part;
    while (const auto n = fread(part.data(), 1, part.size(), pipe)) outcome.text.append(part.data(), n);
    const int status = pclose(pipe);
    outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return outcome;
  }

  std::string bytes(const std::string& name) const {
    std::ifstream in(dir / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
};

}  // namespace fewstep::test
