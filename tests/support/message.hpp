#pragma once

#include <exception>
#include <string>

namespace fewstep::test {

/// What f complains of.
template <class F>
std::string message_of(F f) {
  try {
    f();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "nothing was thrown";
}

}  // namespace fewstep::test
