// Which seeds of noise serve which purpose: noise that something was fitted to is never measured on.
#pragma once

#include <cstdint>
#include <vector>

namespace fewstep::examples {

/// Every seed of a command has `seeds_apart` numbers: the first `numbers_of_one` for training, and as many from
/// `validation_begins` on for validation. The other numbers of seed 0 are the sets for measurements.
inline constexpr std::int64_t numbers_of_one = 1'000'000, validation_begins = 500'000'000, seeds_apart = 1'000'000'000;

/// Returns first, first + 1, ... of a seed's numbers, for training, calibration and the like.
/// @param first  from `validation_begins` on: numbers for validation
/// @throws std::invalid_argument for more than a million numbers of one seed.
std::vector<std::uint64_t> training_numbers(std::int64_t seed, std::int64_t first, std::int64_t count);

/// Returns first, first + 1, ... of a set of noise that serves for measurements only.
/// @param set  1 to 999 except 500
/// @throws std::invalid_argument for another set, and for more than a million numbers.
std::vector<std::uint64_t> unseen_numbers(std::int64_t set, std::int64_t first, std::int64_t count);

}  // namespace fewstep::examples
