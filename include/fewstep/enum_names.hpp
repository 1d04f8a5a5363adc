// Text for enums, and enums from text: to_string(Target::slope) == "slope", parse<Target>("target", "slope").
// Each enum lists its names beside its definition, in a function names_of().
#pragma once

#include "errors.hpp"

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

namespace fewstep {

/// An enum whose enumerators are 0, 1, ..., with `constexpr std::array<std::string_view, N> names_of(E)` in its
/// namespace: the names in the order of the enumerators.
template <class E>
concept NamedEnum = requires(E e) { names_of(e)[0]; };

/// The name of an enumerator, as parse() reads it.
template <NamedEnum E>
constexpr std::string_view to_string(E value) {
  return names_of(value)[static_cast<std::size_t>(value)];
}

/// The enumerator with the name `text`.
/// @param argument  what the text was given for, e.g. "target": the subject of the error message
/// @throws std::invalid_argument listing the allowed names.
template <NamedEnum E>
E parse(std::string_view argument, std::string_view text) {
  constexpr auto names = names_of(E{});
  std::string allowed;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == text) return static_cast<E>(i);
    allowed += (i > 0 ? ", " : "") + std::string(names[i]);
  }
  refuse(argument, text, allowed);
}

}  // namespace fewstep
