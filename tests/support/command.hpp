// The commands of the examples, run as users run them.
#pragma once

#include "catch.hpp"

#include <filesystem>
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
  explicit Scratch(const std::string& name);
  ~Scratch();
  Scratch(const Scratch&) = delete;

  /// Runs a command in a forked copy of this process, where LibTorch is loaded already: loading it takes a third of a
  /// second, longer than most commands of the tests.
  /// @param arguments  in the shell's syntax
  Outcome run(const std::string& command, const std::string& arguments) const;

  /// Starts a program as a shell does.
  Outcome start(const std::string& program, const std::string& arguments) const;

  std::string bytes(const std::string& file) const;
};

}  // namespace fewstep::test
