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

/// Returns text with its control characters, which a terminal would obey, as \xNN.
inline std::string printable(std::string_view text) {
  constexpr char digits[] = "0123456789abcdef";
  std::string safe;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= ' ' && byte != 0x7f) safe += c;
    else (safe += "\\x").append({digits[byte / 16], digits[byte % 16]});
  }
  return safe;
}

namespace detail {

/// A piece of a message: text, which it refers to, a number, or a list of pieces.
class Piece {
 public:
  Piece(const char* text) : kind_(Kind::literal), literal_(text) {}
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
      case Kind::literal: message += literal_; return;
      case Kind::text: message += text_; return;
      case Kind::pieces:
        for (const Piece& piece : pieces_) piece.append_to(message);
        return;
      case Kind::integer: std::snprintf(digits, sizeof digits, "%lld", integer_); break;
      case Kind::natural: std::snprintf(digits, sizeof digits, "%llu", natural_); break;
      case Kind::number: std::snprintf(digits, sizeof digits, "%.15g", number_);  // without rounding noise
    }
    message += digits;
  }

 protected:
  struct List {
    std::initializer_list<Piece> pieces;
  };
  Piece(List list) : kind_(Kind::pieces), pieces_(list.pieces) {}

 private:
  enum class Kind { literal, text, pieces, integer, natural, number } kind_;
  union {
    const char* literal_;
    std::string_view text_;
    std::initializer_list<Piece> pieces_;
    long long integer_;
    unsigned long long natural_;
    double number_;
  };
};

/// A type that is no Piece: its text is printed() first.
template <class T>
concept Printed = !requires(void take(Piece), const T& value) { take(value); };

/// Text of one or several pieces, put together only when an error is reported: "steps", or {"noise level ", 3}.
class Text : Piece {
 public:
  using Piece::Piece;
  Text(std::initializer_list<Piece> pieces) : Piece(List{pieces}) {}
  Text(const Text&) = delete;  // refers to pieces of the caller's expression

  using Piece::append_to;
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
/// @throws std::invalid_argument "ARGUMENT is VALUE; allowed: WHAT", printable.
[[noreturn]] inline void refuse(const detail::Text& argument, const detail::Text& value, const detail::Text& allowed) {
  std::string message;
  argument.append_to(message);
  message += " is ";
  value.append_to(message);
  message += "; allowed: ";
  allowed.append_to(message);
  throw std::invalid_argument(printable(message));
}
template <detail::Printed T>
[[noreturn]] void refuse(const detail::Text& argument, const T& value, const detail::Text& allowed) {
  refuse(argument, detail::printed(value), allowed);
}

/// Reports a wrong argument unless `good`; parameters and error as refuse().
inline void require(bool good, const detail::Text& argument, const detail::Text& value, const detail::Text& allowed) {
  if (!good) refuse(argument, value, allowed);
}
template <detail::Printed T>
void require(bool good, const detail::Text& argument, const T& value, const detail::Text& allowed) {
  if (!good) refuse(argument, value, allowed);
}

}  // namespace fewstep
