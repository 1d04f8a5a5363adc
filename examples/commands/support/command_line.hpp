// What the command lines of all programs have in common.
#pragma once

#include <CLI/CLI.hpp>

#include <cmath>
#include <cstdlib>
#include <string>

namespace fewstep::examples {

/// An error is one line; --help shows defaults. To be called before options are added.
inline void plain_words(CLI::App& app) {
  app.option_defaults()->always_capture_default();
  app.failure_message(
      [](const CLI::App*, const CLI::Error& error) { return "error: " + std::string(error.what()) + "\n"; });
}

/// No option of numbers takes nan or infinity, which ranges let through. To be called when all options are there.
inline void finite_numbers(CLI::App& app) {
  const auto finite = [](const std::string& text) {
    return std::isfinite(std::strtod(text.c_str(), nullptr)) ? std::string{}
                                                             : "is " + text + "; allowed: finite numbers";
  };
  for (CLI::Option* option : app.get_options())
    if (option->get_type_name().starts_with("FLOAT")) option->check(CLI::Validator(finite, ""));
}

}  // namespace fewstep::examples
