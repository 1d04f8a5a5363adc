// The one place where wrong arguments are reported: "ARGUMENT is VALUE; allowed: WHAT".
#pragma once

#include <concepts>
#include <cstdio>
#include <initializer_list>
#include <iosfwd>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

namespace fewstep {

namespace detail {

/// A piece of a message: text, which it refers to, or a number.
class Piece {
 public:
  Piece(const char* text) : Piece(std::string_view(text)) {}
  Piece(const std::string& text) : Piece(std::string_view(text)) {}
  Piece(std::string_view text) : kind_(Kind::text), text_(text) {}
  Piece(bool value) : Piece(value ? std::string_view("true") : std::string_view("false")) {}
  template <std::signed_integral T>
  Piece(T value) : kind_(Kind::integer), integer_(value) {}
  template <std::unsigned_integral T>
  Piece(T value) : kind_(Kind::natural), natural_(value) {}
  template <std::floating_point T>
  Piece(T value) : kind_(Kind::number), number_(static_cast<double>(value)) {}

  void append_to(std::string& message) const {
    char digits[32];
    switch (kind_) {
      case Kind::text: message += text_; return;
      case Kind::integer: std::snprintf(digits, sizeof digits, "%lld", integer_); break;
      case Kind::natural: std::snprintf(digits, sizeof digits, "%llu", natural_); break;
      case Kind::number: std::snprintf(digits, sizeof digits, "%.15g", number_);  // without rounding noise
    }
    message += std::string_view(digits);
  }

 private:
  enum class Kind { text, integer, natural, number } kind_;
  union {
    std::string_view text_;
    long long integer_;
    unsigned long long natural_;
    double number_;
  };
};

/// Text of one or several pieces, put together only when an error is reported: "steps", or {"noise level ", 3}.
class Text {
 public:
  Text(const char* text) : first_(text) {}
  Text(const std::string& text) : first_(text) {}
  Text(std::string_view text) : first_(text) {}
  template <class T>
    requires std::is_arithmetic_v<T>
  Text(T number) : first_(number) {}
  Text(std::initializer_list<Piece> pieces) : first_(""), pieces_(pieces) {}
  Text(const Text&) = delete;  // refers to pieces of the caller's expression

  void append_to(std::string& message) const {
    first_.append_to(message);
    for (const Piece& piece : pieces_) piece.append_to(message);
  }

 private:
  Piece first_;
  std::initializer_list<Piece> pieces_;
};

/// The text that operator<< prints.
/// @tparam Stream  complete only where <sstream> is included, which fewstep itself does not need
template <class T, class Stream = std::ostringstream>
std::string printed(const T& value) {
  Stream text;
  text << value;
  return text.str();
}

}  // namespace detail

/// Reports a wrong argument.
/// @param argument  its name, e.g. "steps", or in pieces {"noise level ", i}
/// @param value  what was given: text, a number, a bool, or anything with operator<<
/// @param allowed  what is allowed instead, e.g. "1 or more", or in pieces {"1 to ", n}
/// @throws std::invalid_argument "ARGUMENT is VALUE; allowed: WHAT".
[[noreturn]] inline void refuse(const detail::Text& argument, const detail::Text& value, const detail::Text& allowed) {
  std::string message;
  argument.append_to(message);
  message += std::string_view(" is ");
  value.append_to(message);
  message += std::string_view("; allowed: ");
  allowed.append_to(message);
  throw std::invalid_argument(message);
}
template <class T>
  requires(!std::convertible_to<const T&, detail::Piece>)
[[noreturn]] void refuse(const detail::Text& argument, const T& value, const detail::Text& allowed) {
  refuse(argument, detail::printed(value), allowed);
}

/// Reports a wrong argument unless `good`; parameters and error as refuse().
inline void require(bool good, const detail::Text& argument, const detail::Text& value, const detail::Text& allowed) {
  if (!good) refuse(argument, value, allowed);
}
template <class T>
  requires(!std::convertible_to<const T&, detail::Piece>)
void require(bool good, const detail::Text& argument, const T& value, const detail::Text& allowed) {
  if (!good) refuse(argument, value, allowed);
}

}  // namespace fewstep
