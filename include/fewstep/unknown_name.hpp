// Refusals of unknown names that suggest the nearest known one.
#pragma once

#include "errors.hpp"

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace fewstep::detail {

/// The Levenshtein distance: the number of letters to insert, delete or replace.
inline std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row;
  for (std::size_t j = 0; j <= b.size(); ++j) row.push_back(j);
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0]++;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = (std::min)({replaced, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

/// A name at most this far from a known one is taken for a slip of the keyboard.
inline constexpr std::size_t near_miss = 2;

/// @throws std::invalid_argument "WHAT is NAME; allowed: the known names", with "(did you mean ...?)" for a near miss.
[[noreturn]] inline void unknown_name(std::string_view what, std::string_view name,
                                      const std::vector<std::string>& known) {
  std::string list;
  const std::string* nearest = nullptr;
  for (const std::string& k : known) {
    list += (list.empty() ? "" : ", ") + k;
    if (!nearest || edit_distance(name, k) < edit_distance(name, *nearest)) nearest = &k;
  }
  if (nearest && edit_distance(name, *nearest) <= near_miss) list += " (did you mean " + *nearest + "?)";
  refuse(what, name, list);
}

}  // namespace fewstep::detail
