#include "noise_numbers.hpp"

#include <fewstep/errors.hpp>
#include <fewstep/seeds.hpp>

#include <string>

namespace fewstep::examples {

namespace {

std::vector<std::uint64_t> numbers_from(std::int64_t first, std::int64_t count) {
  return seed_range(static_cast<std::uint64_t>(first), static_cast<std::size_t>(count));
}

}  // namespace

std::vector<std::uint64_t> training_numbers(std::int64_t seed, std::int64_t first, std::int64_t count) {
  const std::int64_t last = (first < validation_begins ? first : first - validation_begins) + count;
  require(first >= 0 && last <= numbers_of_one, "the number of samples to fit to", last,
          "up to " + std::to_string(numbers_of_one));
  return numbers_from(seed * seeds_apart + first, count);
}

std::vector<std::uint64_t> unseen_numbers(std::int64_t set, std::int64_t first, std::int64_t count) {
  require(set >= 1 && set < seeds_apart / numbers_of_one && set != validation_begins / numbers_of_one,
          "the set of noise", set, "1 to 999 except 500");
  require(first >= 0 && first + count <= numbers_of_one, "the number of images", first + count,
          "up to " + std::to_string(numbers_of_one));
  return numbers_from(set * numbers_of_one + first, count);
}

}  // namespace fewstep::examples
