// The one place where wrong arguments are reported: "ARGUMENT is VALUE; allowed: WHAT".
#pragma once

#include <cstddef>
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

/// The text that operator<< prints.
/// @tparam Stream  complete only where <sstream> is included, which fewstep itself does not need
template <class T, class Stream = std::ostringstream>
std::string printed(const T& value) {
  Stream text;
  text << value;
  return text.str();
}

/// Part of a message, put together only when an error is reported: text, a number, a bool, anything with operator<<,
/// or a list of parts, {"noise level ", 3}.
class Text {
 public:
  Text(const char* text) : kind_(Kind::literal), literal_(text) {}
  Text(const std::string& text) : Text(std::string_view(text)) {}
  Text(std::string_view text) : kind_(Kind::text), text_(text) {}
  Text(std::initializer_list<Text> parts) : kind_(Kind::parts), parts_(parts) {}
  template <class T>
  Text(const T& value) {
    if constexpr (std::is_same_v<T, bool>) {
      kind_ = Kind::literal;
      literal_ = value ? "true" : "false";
    } else if constexpr (std::is_floating_point_v<T>) {
      kind_ = Kind::number;
      number_ = static_cast<double>(value);
    } else if constexpr (std::is_unsigned_v<T>) {
      kind_ = Kind::natural;
      natural_ = value;
    } else if constexpr (std::is_integral_v<T>) {
      kind_ = Kind::integer;
      integer_ = value;
    } else {
      kind_ = Kind::other;
      other_ = {&value, [](const void* v, std::string& message) { message += printed(*static_cast<const T*>(v)); }};
    }
  }
  Text(const Text&) = delete;  // refers to the caller's expression

  void append_to(std::string& message) const {
    char digits[32];
    std::string_view text;
    const auto format = [&](const char* as, auto value) {
      text = {digits, static_cast<std::size_t>(std::snprintf(digits, sizeof digits, as, value))};
    };
    switch (kind_) {
      case Kind::other: return other_.append(other_.value, message);
      case Kind::parts:
        for (const Text& part : parts_) part.append_to(message);
        return;
      case Kind::literal: text = literal_; break;
      case Kind::text: text = text_; break;
      case Kind::integer: format("%lld", integer_); break;
      case Kind::natural: format("%llu", natural_); break;
      case Kind::number: format("%.15g", number_);  // without rounding noise
    }
    message += text;
  }

 private:
  struct Other {
    const void* value;
    void (*append)(const void* value, std::string& message);
  };
  enum class Kind { literal, text, parts, integer, natural, number, other } kind_;
  union {
    const char* literal_;
    std::string_view text_;
    std::initializer_list<Text> parts_;
    long long integer_;
    unsigned long long natural_;
    double number_;
    Other other_;
  };
};

}  // namespace detail

/// Reports a wrong argument.
/// @param argument  its name, e.g. "steps", or in parts {"noise level ", i}
/// @param value  what was given: text, a number, a bool, or anything with operator<<
/// @param allowed  what is allowed instead, e.g. "1 or more", or in parts {"1 to ", n}
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

/// Reports a wrong argument unless `good`; parameters and error as refuse().
inline void require(bool good, const detail::Text& argument, const detail::Text& value, const detail::Text& allowed) {
  if (!good) refuse(argument, value, allowed);
}

}  // namespace fewstep
