#include "command.hpp"

#include <ATen/Parallel.h>
#include <ATen/core/Generator.h>
#include <torch/utils.h>

#include <sys/wait.h>
#include <unistd.h>
#include <wordexp.h>

#include <array>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <thread>
#include <vector>

// commands.inc, written by CMakeLists.txt, lists the commands, whose main() is renamed when they are linked here.
#define FEWSTEP_COMMAND(name) extern "C" int fewstep_main_##name(int, char**);
#include "commands.inc"
#undef FEWSTEP_COMMAND

namespace fewstep::test {

namespace fs = std::filesystem;

namespace {

// A process with several threads must not be forked; LibTorch starts them unless told otherwise.
[[maybe_unused]] const bool one_thread = (at::set_num_threads(1), true);

using Main = int (*)(int, char**);
Main main_of(const std::string& command) {
#define FEWSTEP_COMMAND(name) {#name, fewstep_main_##name},
  static const std::map<std::string, Main> all{
#include "commands.inc"
  };
#undef FEWSTEP_COMMAND
  const auto found = all.find(command);
  REQUIRE(found != all.end());
  return found->second;
}

/// Everything written to a pipe until its other end is closed.
std::string read_all(int pipe) {
  std::string text;
  std::array<char, 4096> part;
  for (ssize_t n; (n = ::read(pipe, part.data(), part.size())) > 0;)
    text.append(part.data(), static_cast<std::size_t>(n));
  ::close(pipe);
  return text;
}

int exit_code(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : -1; }

/// In the forked process. The new thread has none of the test's guards; the generator is as in a new process.
[[noreturn]] void run_and_exit(Main main, int argc, char** argv) {
  int code = 1;
  std::thread([&] {
    torch::manual_seed(c10::default_rng_seed_val);
    code = main(argc, argv);
  }).join();
  std::cout.flush();
  std::fflush(nullptr);
  ::_exit(code);
}

}  // namespace

Scratch::Scratch(const std::string& name) : dir(fs::path(FEWSTEP_BINARY_DIR) / ("scratch_" + name)) {
  fs::remove_all(dir);
  fs::create_directories(dir);
}
Scratch::~Scratch() { fs::remove_all(dir); }

Outcome Scratch::run(const std::string& command, const std::string& arguments) const {
  const Main main = main_of(command);
  wordexp_t words;
  REQUIRE(::wordexp(arguments.c_str(), &words, WRDE_NOCMD) == 0);
  std::string name = command;
  std::vector<char*> argv{name.data()};
  argv.insert(argv.end(), words.we_wordv, words.we_wordv + words.we_wordc);
  argv.push_back(nullptr);

  std::array<int, 2> pipe;
  REQUIRE(::pipe(pipe.data()) == 0);
  std::cout.flush();
  std::fflush(nullptr);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::dup2(pipe[1], STDOUT_FILENO);
    ::dup2(pipe[1], STDERR_FILENO);
    ::close(pipe[0]);
    ::close(pipe[1]);
    if (::chdir(dir.c_str()) != 0) ::_exit(127);
    run_and_exit(main, static_cast<int>(argv.size()) - 1, argv.data());
  }
  ::close(pipe[1]);
  ::wordfree(&words);
  const std::string text = read_all(pipe[0]);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return {exit_code(status), text};
}

Outcome Scratch::start(const std::string& program, const std::string& arguments) const {
  const char* folder = std::getenv("FEWSTEP_EXAMPLES_BIN");
  REQUIRE(folder);
  const std::string line = "cd '" + dir.string() + "' && '" + folder + "/" + program + "' " + arguments + " 2>&1";
  std::FILE* pipe = ::popen(line.c_str(), "r");
  REQUIRE(pipe);
  std::string text;
  std::array<char, 4096> part;
  while (const auto n = std::fread(part.data(), 1, part.size(), pipe)) text.append(part.data(), n);
  return {exit_code(::pclose(pipe)), text};
}

std::string Scratch::bytes(const std::string& file) const {
  std::ifstream in(dir / file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace fewstep::test
