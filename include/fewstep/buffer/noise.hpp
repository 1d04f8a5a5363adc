#pragma once

#include "../noise.hpp"
#include "../seeds.hpp"
#include "buffer.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace fewstep {

/// Unit Gaussian noise, as fill_noise().
/// @param seeds    one per sample; sample b is a function of seeds[b] alone
/// @param numbers  of one sample
template <std::floating_point T = float>
Buffer<T> buffer_noise(const std::vector<std::uint64_t>& seeds, std::size_t numbers) {
  Buffer<T> x(std::vector<T>(seeds.size() * numbers), seeds.size());
  for (std::size_t b = 0; b < seeds.size(); ++b) fill_noise<T>(x.sample(b), seeds[b]);
  return x;
}

}  // namespace fewstep
