// Lists of seeds as users type them: "0-63,70,80-90".
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace fewstep::examples {

/// Returns the seeds of a comma-separated list of numbers and ranges "first-last" (both included), in the order given.
/// @throws std::invalid_argument, one line that quotes the wrong entry; also for more than a million seeds.
std::vector<std::uint64_t> parse_seeds(std::string_view text);

}  // namespace fewstep::examples
