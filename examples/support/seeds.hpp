#pragma once

#include <charconv>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace fewstep::examples {

/// "0-63,70,80-90" -> the seeds in that order, ends included.
/// @throws std::invalid_argument naming the part that is not a seed or a range, or is empty.
inline std::vector<std::uint64_t> parse_seeds(const std::string& text) {
  constexpr std::uint64_t most = 1'000'000;
  const auto fail = [&](std::string_view part) {
    throw std::invalid_argument("--seeds is " + text + " ('" + std::string(part) +
                                "'); allowed: numbers and rising ranges, at most a million, as in 0-63,70");
  };
  std::vector<std::uint64_t> seeds;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    const std::string_view part(text.data() + at, comma - at);
    const auto number = [&](std::string_view digits) {
      std::uint64_t value = 0;
      const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
      if (error != std::errc() || end != digits.data() + digits.size() || digits.empty()) fail(part);
      return value;
    };
    const std::size_t dash = part.find('-');
    const std::uint64_t first = number(part.substr(0, dash));
    const std::uint64_t last = dash == std::string_view::npos ? first : number(part.substr(dash + 1));
    if (last < first || last - first >= most || seeds.size() + (last - first) >= most) fail(part);
    for (std::uint64_t seed = first;; ++seed) {
      seeds.push_back(seed);
      if (seed == last) break;
    }
    at = comma + 1;
  }
  return seeds;
}

}  // namespace fewstep::examples
