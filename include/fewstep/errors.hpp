// The one place where wrong arguments are reported: "ARGUMENT is VALUE; allowed: WHAT".
#pragma once

#include <concepts>
#include <cstdio>
#include <iosfwd>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

namespace fewstep {

namespace detail {

/// A number as "%.15g" prints it: enough digits to tell what was given, without rounding noise.
inline std::string text_of_number(double value) {
  char digits[32];
  std::snprintf(digits, sizeof digits, "%.15g", value);
  return digits;
}

/// A number, or anything with operator<<, as text.
/// @tparam Stream  complete only where <sstream> is included, which fewstep itself does not need
template <class T, class Stream = std::ostringstream>
std::string text_of(const T& value) {
  if constexpr (std::same_as<T, bool>) {
    return value ? "true" : "false";
  } else if constexpr (std::integral<T>) {
    return std::to_string(value);
  } else if constexpr (std::floating_point<T>) {
    return text_of_number(static_cast<double>(value));
  } else {
    Stream text;
    text << value;
    return text.str();
  }
}

}  // namespace detail

/// Reports a wrong argument.
/// @param argument  its name, e.g. "steps"
/// @param value  what was given: text, a number, a bool, or anything with operator<<
/// @param allowed  what is allowed instead, e.g. "1 or more"
/// @throws std::invalid_argument "ARGUMENT is VALUE; allowed: WHAT".
[[noreturn]] inline void refuse(std::string_view argument, std::string_view value, std::string_view allowed) {
  std::string message(argument);
  message.append(" is ").append(value).append("; allowed: ").append(allowed);
  throw std::invalid_argument(message);
}
template <class T>
  requires(!std::is_convertible_v<const T&, std::string_view>)
[[noreturn]] void refuse(std::string_view argument, const T& value, std::string_view allowed) {
  refuse(argument, std::string_view(detail::text_of(value)), allowed);
}

/// Reports a wrong argument unless `good`; parameters and error as refuse().
inline void require(bool good, std::string_view argument, std::string_view value, std::string_view allowed) {
  if (!good) refuse(argument, value, allowed);
}
template <class T>
  requires(!std::is_convertible_v<const T&, std::string_view>)
void require(bool good, std::string_view argument, const T& value, std::string_view allowed) {
  if (!good) refuse(argument, value, allowed);
}

}  // namespace fewstep
