#include "command_line.hpp"

#include "process.hpp"
#include "threads.hpp"

#ifdef FEWSTEP_TORCH
#include <ATen/Parallel.h>
#endif
#include <CLI/CLI.hpp>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <stdexcept>

namespace fewstep::examples {

struct Option::Parts {
  std::shared_ptr<CLI::App> app;
  CLI::Option* option = nullptr;
  std::string heading = "Options";
};

Option& Option::required() {
  parts_->option->required();
  return *this;
}
Option& Option::range(int least, int most) {
  parts_->option->check(CLI::Range(least, most));
  return *this;
}
Option& Option::range(double least, double most) {
  parts_->option->check(CLI::Range(least, most));
  return *this;
}
Option& Option::positive() {
  parts_->option->check(CLI::PositiveNumber);
  return *this;
}
Option& Option::not_negative() {
  parts_->option->check(CLI::NonNegativeNumber);
  return *this;
}
Option& Option::one_of(const std::vector<std::string>& values) {
  parts_->option->check(CLI::IsMember(values));
  return *this;
}
Option& Option::comma_separated() {
  parts_->option->delimiter(',');
  return *this;
}
Option& Option::existing_files() {
  parts_->option->check(CLI::ExistingFile);
  return *this;
}
Option& Option::excludes(const std::vector<std::string>& names) {
  for (const std::string& name : names) parts_->option->excludes(parts_->app->get_option(name));
  return *this;
}
Option& Option::needs(const std::string& name) {
  parts_->option->needs(parts_->app->get_option(name));
  return *this;
}
Option& Option::check(const std::function<std::string(const std::string&)>& error) {
  parts_->option->check([error](const std::string& value) { return error(value); });
  return *this;
}
bool Option::given() const { return parts_->option->count() > 0; }

CommandLine::CommandLine(const std::string& program, const std::string& purpose)
    : parts_(std::make_shared<Option::Parts>()), text_(program) {
  parts_->app = std::make_shared<CLI::App>(purpose);
  parts_->app->option_defaults()->always_capture_default();
  parts_->app->failure_message(
      [](const CLI::App*, const CLI::Error& error) { return "error: " + first_line(error) + "\n"; });
}

void CommandLine::group(const std::string& heading) { parts_->heading = heading; }

template <class T>
Option CommandLine::option(const std::string& name, T& value, const std::string& help) {
  CLI::Option* const added = parts_->app->add_option(name, value, help);
  // Ranges accept NaN, and some infinity.
  const auto finite = [](const std::string& text) {
    return std::isfinite(std::strtod(text.c_str(), nullptr)) ? std::string{}
                                                             : "is " + text + "; allowed: finite numbers";
  };
  if (added->get_type_name().starts_with("FLOAT")) added->check(CLI::Validator(finite, ""));
  added->group(parts_->heading);
  return Option(std::make_shared<Option::Parts>(Option::Parts{parts_->app, added, {}}));
}

Option CommandLine::flag(const std::string& name, bool& value, const std::string& help) {
  CLI::Option* const added = parts_->app->add_flag(name, value, help);
  added->group(parts_->heading);
  return Option(std::make_shared<Option::Parts>(Option::Parts{parts_->app, added, {}}));
}

#define FEWSTEP_OPTION_TYPE(T) template Option CommandLine::option<T>(const std::string&, T&, const std::string&);
FEWSTEP_OPTION_TYPE(std::string)
FEWSTEP_OPTION_TYPE(std::filesystem::path)
FEWSTEP_OPTION_TYPE(int)
FEWSTEP_OPTION_TYPE(std::int64_t)
FEWSTEP_OPTION_TYPE(std::uint64_t)
FEWSTEP_OPTION_TYPE(double)
FEWSTEP_OPTION_TYPE(std::optional<int>)
FEWSTEP_OPTION_TYPE(std::optional<std::int64_t>)
FEWSTEP_OPTION_TYPE(std::optional<double>)
FEWSTEP_OPTION_TYPE(std::optional<bool>)
FEWSTEP_OPTION_TYPE(std::vector<std::string>)
FEWSTEP_OPTION_TYPE(std::vector<std::filesystem::path>)
FEWSTEP_OPTION_TYPE(std::vector<int>)
FEWSTEP_OPTION_TYPE(std::vector<std::int64_t>)
FEWSTEP_OPTION_TYPE(std::vector<double>)
#undef FEWSTEP_OPTION_TYPE

void CommandLine::add_threads() {
  constexpr int most = 1'024;
  group("Options");
  option("--threads", threads_,
         "threads; 0: OMP_NUM_THREADS, or one for each of the " + std::to_string(usable_cores()) +
             " cores that this process may use")
      .range(0, most);
}

void CommandLine::set_threads() const {
  const int threads = threads_ > 0 ? threads_ : std::getenv("OMP_NUM_THREADS") ? 0 : usable_cores();
  set_runtime_threads(threads);
#ifdef FEWSTEP_TORCH
  if (threads > 0) at::set_num_threads(threads);
#endif
}

int CommandLine::run(int argc, const char* const* argv, const std::function<void()>& work) {
  add_threads();
  for (int i = 1; i < argc; ++i) text_ += std::string(" ") + argv[i];
  try {
    parts_->app->parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return parts_->app->exit(error);
  }
  return run_main([&] {
    keep_freed_memory();
    set_threads();
    work();
  });
}

}  // namespace fewstep::examples
