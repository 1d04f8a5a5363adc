// The skeleton of every command: options, the run, and errors. CLI11 is compiled once, in command_line.cpp.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace fewstep::examples {

/// An option of a CommandLine. Every function adds a rule and returns the option, so that rules can be chained.
class Option {
 public:
  Option& required();
  Option& range(int least, int most);
  Option& range(double least, double most);
  Option& positive();
  Option& not_negative();
  Option& one_of(const std::vector<std::string>& values);
  /// Several values: also in one argument, separated by commas.
  Option& comma_separated();
  Option& existing_files();
  /// Options that must not be given beside this one.
  Option& excludes(const std::vector<std::string>& names);
  Option& needs(const std::string& name);
  /// @param error  value -> what is wrong with it; empty text: nothing
  Option& check(const std::function<std::string(const std::string&)>& error);

  /// Whether the command line had this option. For use after it was parsed.
  bool given() const;

 private:
  friend class CommandLine;
  struct Parts;
  explicit Option(std::shared_ptr<Parts> parts) : parts_(std::move(parts)) {}
  std::shared_ptr<Parts> parts_;
};

/// The command line of a program:
///
///   int main(int argc, char** argv) {
///     Settings s;
///     CommandLine line("sample", "Draws images from a trained network.");
///     line.option("--steps", s.steps, "steps of the solver").range(1, 10'000);
///     return line.run(argc, argv, [&] { draw(s); });
///   }
class CommandLine {
 public:
  /// Every command has --threads and --help.
  CommandLine(const std::string& program, const std::string& purpose);

  /// An option that sets `value`; its default is shown by --help. Numbers must be finite.
  /// @param value  T: std::string, std::filesystem::path, int, std::int64_t, std::uint64_t, double; std::optional of a
  ///               number or bool; std::vector of strings, paths or numbers
  template <class T>
  Option option(const std::string& name, T& value, const std::string& help);
  /// @param name  "--name" sets `value` to true, "!--name" to false
  Option flag(const std::string& name, bool& value, const std::string& help);
  /// --help shows the options that follow under this heading.
  void group(const std::string& heading);

  /// Parses the arguments, then calls `work` by run_main() (process.hpp): an error is printed as one line.
  /// @return the program's exit status: 0 on success and after --help
  int run(int argc, const char* const* argv, const std::function<void()>& work);

  /// The program's name and arguments, separated by spaces, to be stored with results. For use inside `work`.
  const std::string& text() const { return text_; }

 private:
  std::shared_ptr<Option::Parts> parts_;
  std::string text_;
  int threads_ = 0;  // 0: the default

  void add_threads();
  void set_threads() const;
};

}  // namespace fewstep::examples
