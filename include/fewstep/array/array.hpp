// Arrays of any element type, as files and exported networks have them.
#pragma once

#include "../enum_names.hpp"

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace fewstep {

static_assert(std::endian::native == std::endian::little, "arrays are stored as they are in memory: little-endian");

/// Element types. to_string(Dtype::f32) == "F32".
enum class Dtype { boolean, u8, i8, u16, i16, f16, bf16, u32, i32, f32, u64, i64, f64 };
constexpr std::array<std::string_view, 13> names_of(Dtype) {
  return {"BOOL", "U8", "I8", "U16", "I16", "F16", "BF16", "U32", "I32", "F32", "U64", "I64", "F64"};
}

/// Returns the number of bytes of one element.
constexpr std::uint64_t item_size(Dtype dtype) {
  constexpr std::array<std::uint64_t, 13> sizes{1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 8, 8, 8};
  return sizes[static_cast<std::size_t>(dtype)];
}

/// One array: row-major bytes of elements of type `dtype`. An empty shape is a scalar.
struct Array {
  Dtype dtype = Dtype::f32;
  std::vector<std::int64_t> shape = {};
  std::vector<std::byte> bytes = {};
};

namespace detail {

/// Returns the number of bytes that an array of this type and shape holds.
/// @throws std::runtime_error for a negative extent, or a product that overflows.
inline std::uint64_t byte_count(Dtype dtype, const std::vector<std::int64_t>& shape) {
  std::uint64_t count = item_size(dtype);
  for (const std::int64_t extent : shape) {
    if (extent < 0) throw std::runtime_error("shape has the negative extent " + std::to_string(extent));
    const auto factor = static_cast<std::uint64_t>(extent);
    if (factor != 0 && count > (std::numeric_limits<std::uint64_t>::max)() / factor)
      throw std::runtime_error("shape is too large");
    count *= factor;
  }
  return count;
}

}  // namespace detail

}  // namespace fewstep
