// Solvers by name on a command line.
#pragma once

#include <fewstep/fewstep.hpp>
#include <fewstep/scalar.hpp>

#include <stdexcept>
#include <string>

namespace fewstep::examples {

/// For CLI11's check(): why an option may not have this value, with the solvers there are; empty for one of them.
inline std::string unknown_solver(const std::string& name) {
  try {
    make_solver<double>(name);
    return {};
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
}

}  // namespace fewstep::examples
