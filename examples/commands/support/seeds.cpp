#include "seeds.hpp"

#include <charconv>
#include <stdexcept>
#include <string>
#include <system_error>

namespace fewstep::examples {

std::vector<std::uint64_t> parse_seeds(std::string_view text) {
  constexpr std::uint64_t most = 1'000'000;  // a longer list is a typing error

  const auto fail = [&](std::string_view entry, std::string_view why) {
    throw std::invalid_argument("seeds '" + std::string(text) + "': '" + std::string(entry) + "' " + std::string(why) +
                                "; allowed: numbers and ranges such as 0-63,70,80-90");
  };
  const auto number = [&](std::string_view entry, std::string_view digits) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error == std::errc::result_out_of_range) fail(entry, "does not fit in 64 bits");
    if (error != std::errc{} || end != digits.data() + digits.size()) fail(entry, "is not a number or a range");
    return value;
  };

  std::vector<std::uint64_t> seeds;
  for (std::string_view rest = text;;) {
    const auto comma = rest.find(',');
    const std::string_view entry = rest.substr(0, comma);
    const auto dash = entry.find('-');
    const std::uint64_t first = number(entry, entry.substr(0, dash));
    const std::uint64_t last = dash == entry.npos ? first : number(entry, entry.substr(dash + 1));
    if (last < first) fail(entry, "is empty: it ends before it starts");
    if (last - first >= most - seeds.size()) fail(entry, "makes more than a million seeds");
    for (std::uint64_t i = 0; i <= last - first; ++i) seeds.push_back(first + i);
    if (comma == rest.npos) return seeds;
    rest.remove_prefix(comma + 1);
  }
}

}  // namespace fewstep::examples
