// The one place where bad configuration is reported.
#pragma once

#include <concepts>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>

namespace fewstep {

/// @throws std::invalid_argument "ARGUMENT is VALUE; allowed: WHAT".
template <class T>
[[noreturn]] void refuse(std::string_view argument, const T& value, std::string_view allowed) {
  std::ostringstream message;
  message.precision(15);
  message << std::boolalpha << argument << " is " << value << "; allowed: " << allowed;
  throw std::invalid_argument(message.str());
}

/// refuse() unless `good`.
template <class T>
void require(bool good, std::string_view argument, const T& value, std::string_view allowed) {
  if (!good) refuse(argument, value, allowed);
}

}  // namespace fewstep
