// Unit Gaussian noise that depends on a sample's seed alone: not on the batch, its order, the compiler's library or the
// number of threads.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <span>

namespace fewstep {

/// The random number generator Philox-4x32-10: 128 random bits per counter and key.
/// Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3".
inline std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key) {
  constexpr int rounds = 10;
  for (int round = 0; round < rounds; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53u} * counter[0], b = std::uint64_t{0xCD9E8D57u} * counter[2];
    counter = {static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(b),
               static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(a)};
    key[0] += 0x9E3779B9u;
    key[1] += 0xBB67AE85u;
  }
  return counter;
}

/// Fills x with unit Gaussian noise, by the Box-Muller method on 53-bit uniform numbers, in double.
/// @param seed  of one sample; number i is a function of the seed and i alone
template <class Scalar>
void fill_noise(std::span<Scalar> x, std::uint64_t seed) {
  const auto uniform = [](std::uint32_t high, std::uint32_t low) {  // in (0, 1]
    const std::uint64_t bits = (std::uint64_t{high} << 32 | low) >> 11;
    return static_cast<double>(bits + 1) * 0x1p-53;
  };
  const std::array<std::uint32_t, 2> key{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)};
  for (std::size_t i = 0; i < x.size(); i += 2) {
    const std::uint64_t block = i / 2;
    const auto bits = philox({static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32), 0, 0}, key);
    const double radius = std::sqrt(-2 * std::log(uniform(bits[0], bits[1])));
    const double angle = 2 * std::numbers::pi * uniform(bits[2], bits[3]);
    x[i] = static_cast<Scalar>(radius * std::cos(angle));
    if (i + 1 < x.size()) x[i + 1] = static_cast<Scalar>(radius * std::sin(angle));
  }
}

}  // namespace fewstep
