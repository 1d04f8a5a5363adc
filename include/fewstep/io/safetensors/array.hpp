// Arrays of a safetensors file: element type, shape and bytes.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace fewstep::io {

static_assert(std::endian::native == std::endian::little, "safetensors files are little-endian");

/// Element types of the format.
enum class Dtype { boolean, u8, i8, u16, i16, f16, bf16, u32, i32, f32, u64, i64, f64 };

/// One array: row-major bytes of elements of type `dtype`. An empty shape is a scalar.
struct Array {
  Dtype dtype = Dtype::f32;
  std::vector<std::int64_t> shape;
  std::vector<std::byte> bytes;
};

/// The content of a safetensors file. Both maps are sorted, so equal contents make equal files.
struct Safetensors {
  std::map<std::string, Array> tensors;
  std::map<std::string, std::string> metadata;
};

namespace detail {

struct DtypeRow {
  Dtype dtype;
  std::string_view name;
  std::uint64_t size;
};

inline constexpr std::array<DtypeRow, 13> dtype_rows{{{Dtype::boolean, "BOOL", 1},
                                                      {Dtype::u8, "U8", 1},
                                                      {Dtype::i8, "I8", 1},
                                                      {Dtype::u16, "U16", 2},
                                                      {Dtype::i16, "I16", 2},
                                                      {Dtype::f16, "F16", 2},
                                                      {Dtype::bf16, "BF16", 2},
                                                      {Dtype::u32, "U32", 4},
                                                      {Dtype::i32, "I32", 4},
                                                      {Dtype::f32, "F32", 4},
                                                      {Dtype::u64, "U64", 8},
                                                      {Dtype::i64, "I64", 8},
                                                      {Dtype::f64, "F64", 8}}};

inline const DtypeRow& dtype_row(Dtype dtype) { return dtype_rows[static_cast<std::size_t>(dtype)]; }

/// Returns the bytes that an array of this type and shape holds.
/// @throws std::runtime_error for a negative extent, or a product that overflows.
inline std::uint64_t byte_count(Dtype dtype, const std::vector<std::int64_t>& shape) {
  std::uint64_t count = dtype_row(dtype).size;
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

/// The format's name of an element type, e.g. "F32".
inline std::string_view name(Dtype dtype) { return detail::dtype_row(dtype).name; }

/// Bytes of one element.
inline std::uint64_t item_size(Dtype dtype) { return detail::dtype_row(dtype).size; }

}  // namespace fewstep::io
