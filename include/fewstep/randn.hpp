// The noise of torch.randn without LibTorch: the same seeds give the samples of programs in Python.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <random>
#include <span>

namespace fewstep {

namespace detail {

/// Box-Muller on uniform numbers in [0, 1): eight radii, then eight angles, become 16 normal numbers.
template <class Scalar>
void sixteen_normals(std::array<float, 16> uniform, Scalar* x) {
  for (std::size_t j = 0; j < 8; ++j) {
    const double radius = std::sqrt(-2 * std::log(1. - uniform[j])), angle = 2 * std::numbers::pi * uniform[j + 8];
    x[j] = static_cast<Scalar>(radius * std::cos(angle));
    x[j + 8] = static_cast<Scalar>(radius * std::sin(angle));
  }
}

}  // namespace detail

/// Fills x with the numbers of torch.randn(x.size(), generator=torch.Generator("cpu").manual_seed(seed)) in float32.
/// They agree to about 1e-6, since LibTorch computes logarithms and angles in float, by functions of its own.
/// @param x     one sample
/// @param seed  its lower 32 bits count
/// Source: PyTorch 2.13, aten/src/ATen/native/cpu/DistributionTemplates.h (16 at a time) and
/// aten/src/ATen/core/DistributionsHelper.h (fewer than 16).
template <class Scalar>
void fill_randn(std::span<Scalar> x, std::uint64_t seed) {
  constexpr std::size_t block = 16;
  std::mt19937 engine(static_cast<std::uint32_t>(seed));
  const auto uniform = [&] { return static_cast<float>(engine() & 0xffffffu) * 0x1p-24f; };
  const auto wide_uniform = [&] {
    const std::uint64_t high = engine(), low = engine();
    return static_cast<double>((high << 32 | low) & ((std::uint64_t{1} << 53) - 1)) * 0x1p-53;
  };
  if (x.size() < block) {
    for (std::size_t i = 0; i < x.size(); i += 2) {
      const double turn = wide_uniform(), radius = std::sqrt(-2 * std::log1p(-wide_uniform()));
      x[i] = static_cast<Scalar>(radius * std::cos(2 * std::numbers::pi * turn));
      if (i + 1 < x.size()) x[i + 1] = static_cast<Scalar>(radius * std::sin(2 * std::numbers::pi * turn));
    }
    return;
  }
  std::array<float, block> drawn;
  const auto draw = [&] { std::generate(drawn.begin(), drawn.end(), uniform); };
  const std::size_t whole = x.size() / block * block;
  for (std::size_t i = 0; i < whole; i += block) {
    draw();
    detail::sixteen_normals(drawn, &x[i]);
  }
  if (whole == x.size()) return;
  for (std::size_t i = whole; i < x.size(); ++i) uniform();  // drawn for the numbers that the last block replaces
  draw();
  detail::sixteen_normals(drawn, &x[x.size() - block]);
}

}  // namespace fewstep
