// Which noise is for what: samples are numbered, and none that something may have been fitted to is ever measured on.
#pragma once

#include "unet.hpp"

#include <fewstep/errors.hpp>
#include <fewstep/torch.hpp>

#include <torch/torch.h>

#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

namespace fewstep::examples {

inline constexpr std::int64_t numbers_of_one = 1'000'000, validation_begins = 500'000'000, seeds_apart = 1'000'000'000;

inline std::vector<std::uint64_t> numbers_from(std::int64_t first, std::int64_t count) {
  std::vector<std::uint64_t> numbers(static_cast<std::size_t>(count));
  std::iota(numbers.begin(), numbers.end(), static_cast<std::uint64_t>(first));
  return numbers;
}

/// first, first + 1, ... of the seed's training, calibration, and the like; from `validation_begins` on, those that
/// training is validated on.
/// @throws std::invalid_argument beyond a million of one seed, where the noise that is measured on begins.
inline std::vector<std::uint64_t> training_numbers(std::int64_t seed, std::int64_t first, std::int64_t count) {
  const std::int64_t last = (first < validation_begins ? first : first - validation_begins) + count;
  require(first >= 0 && last <= numbers_of_one, "the number of samples to fit to", last,
          "up to " + std::to_string(numbers_of_one));
  return numbers_from(seed * seeds_apart + first, count);
}

/// first, first + 1, ... of a set that is only measured on: 1, 2, ..., 999 but for that of validation.
inline std::vector<std::uint64_t> unseen_numbers(std::int64_t set, std::int64_t first, std::int64_t count) {
  require(set >= 1 && set < seeds_apart / numbers_of_one && set != validation_begins / numbers_of_one,
          "the set of noise", set, "from 1 to 999 but 500");
  require(first >= 0 && first + count <= numbers_of_one, "the number of images", first + count,
          "up to " + std::to_string(numbers_of_one));
  return numbers_from(set * numbers_of_one + first, count);
}

/// Unit noise for a network's pictures, each from its number alone.
inline torch::Tensor noise_of(const std::vector<std::uint64_t>& numbers, const UnetConfig& c, torch::Device device) {
  return tensor_noise(numbers, {c.img_channels, c.img_resolution, c.img_resolution}, torch::TensorOptions(device));
}

}  // namespace fewstep::examples
