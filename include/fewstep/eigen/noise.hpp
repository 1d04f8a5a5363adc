// Unit Gaussian noise that depends on a sample's seed alone: not on the batch, its order, the compiler's library or the
// number of threads.
#pragma once

#include "../seeds.hpp"

#include <Eigen/Core>

#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <vector>

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

/// Unit Gaussian noise, one column per sample, by the Box-Muller method on 53-bit uniform numbers, in double.
/// @param seeds  one per sample; column b is a function of seeds[b] alone
/// @param rows   numbers per sample
/// @return [rows, seeds.size()]
template <class Scalar = double>
Eigen::Array<Scalar, Eigen::Dynamic, Eigen::Dynamic> noise(const std::vector<std::uint64_t>& seeds, Eigen::Index rows) {
  Eigen::Array<Scalar, Eigen::Dynamic, Eigen::Dynamic> x(rows, static_cast<Eigen::Index>(seeds.size()));
  const auto uniform = [](std::uint32_t high, std::uint32_t low) {  // in (0, 1]
    const std::uint64_t bits = (std::uint64_t{high} << 32 | low) >> 11;
    return static_cast<double>(bits + 1) * 0x1p-53;
  };
  for (Eigen::Index b = 0; b < x.cols(); ++b) {
    const std::uint64_t seed = seeds[static_cast<std::size_t>(b)];
    const std::array<std::uint32_t, 2> key{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)};
    for (Eigen::Index i = 0; i < rows; i += 2) {
      const auto block = static_cast<std::uint64_t>(i / 2);
      const auto bits = philox({static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32), 0, 0}, key);
      const double radius = std::sqrt(-2 * std::log(uniform(bits[0], bits[1])));
      const double angle = 2 * std::numbers::pi * uniform(bits[2], bits[3]);
      x(i, b) = static_cast<Scalar>(radius * std::cos(angle));
      if (i + 1 < rows) x(i + 1, b) = static_cast<Scalar>(radius * std::sin(angle));
    }
  }
  return x;
}

}  // namespace fewstep
