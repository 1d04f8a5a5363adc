// Arrays of a safetensors file as vectors of numbers.
#pragma once

#include "array.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace fewstep::io {

namespace detail {

/// IEEE 754 binary16: 10 stored bits of the significand, exponents -14 to 15, stored with 15 added.
struct Half {
  static constexpr int digits = 10, lowest_exponent = -14, bias = 15, special = 31;
  static constexpr std::uint16_t sign = 0x8000, infinity = 0x7c00, not_a_number = 0x7e00;
  static constexpr double overflow = 65520;  // halfway from the largest finite value to the next power of 2

  static float decode(std::uint16_t bits) {
    const int exponent = (bits & infinity) >> digits, fraction = bits & ((1 << digits) - 1);
    float size = 0;
    if (exponent == special) size = fraction == 0 ? INFINITY : NAN;
    else if (exponent == 0) size = std::ldexp(static_cast<float>(fraction), lowest_exponent - digits);
    else size = std::ldexp(static_cast<float>(fraction + (1 << digits)), exponent - bias - digits);
    return (bits & sign) ? -size : size;
  }

  /// Rounds to the nearest value, ties to even.
  static std::uint16_t encode(double value) {
    const std::uint16_t signed_zero = std::signbit(value) ? sign : 0;
    const double size = std::abs(value);
    if (std::isnan(size)) return signed_zero | not_a_number;
    if (size >= overflow) return signed_zero | infinity;
    const int exponent = size == 0 ? lowest_exponent : (std::max)(std::ilogb(size), lowest_exponent);
    const auto fraction = static_cast<int>(std::nearbyint(std::ldexp(size, digits - exponent)));
    // A normal value's leading bit, and a carry out of rounding, add 1 to the exponent's field.
    return static_cast<std::uint16_t>(signed_zero | (((exponent + bias - 1) << digits) + fraction));
  }
};

template <class Stored, class T, class Decode>
std::vector<T> decoded(const Array& array, Decode decode) {
  std::vector<T> values;
  values.reserve(array.bytes.size() / sizeof(Stored));
  for (std::size_t at = 0; at < array.bytes.size(); at += sizeof(Stored)) {
    Stored stored;
    std::memcpy(&stored, array.bytes.data() + at, sizeof stored);
    values.push_back(static_cast<T>(decode(stored)));
  }
  return values;
}

template <class Stored, class T, class Encode>
std::vector<std::byte> encoded(const std::vector<T>& values, Encode encode) {
  std::vector<std::byte> bytes(values.size() * sizeof(Stored));
  for (std::size_t k = 0; k < values.size(); ++k) {
    const Stored stored = encode(values[k]);
    std::memcpy(bytes.data() + k * sizeof stored, &stored, sizeof stored);
  }
  return bytes;
}

}  // namespace detail

/// Returns the elements of an array, row-major, as T: float or double.
///
/// @throws std::runtime_error for element types other than F16, BF16, F32 and F64.
template <class T>
std::vector<T> values_of(const Array& array) {
  const auto same = [](auto stored) { return stored; };
  switch (array.dtype) {
    case Dtype::f16: return detail::decoded<std::uint16_t, T>(array, detail::Half::decode);
    case Dtype::bf16:
      return detail::decoded<std::uint16_t, T>(array, [](std::uint16_t stored) {
        return std::bit_cast<float>(static_cast<std::uint32_t>(stored) << 16);  // the upper half of a float
      });
    case Dtype::f32: return detail::decoded<float, T>(array, same);
    case Dtype::f64: return detail::decoded<double, T>(array, same);
    default:
      throw std::runtime_error("is of type " + std::string(to_string(array.dtype)) + "; allowed: F16, BF16, F32, F64");
  }
}

/// Returns an array of these elements, row-major, rounded to the nearest values of the element type.
///
/// @throws std::invalid_argument for element types other than F16, F32 and F64.
template <class T>
Array array_of(const std::vector<T>& values, std::vector<std::int64_t> shape, Dtype dtype) {
  Array array{dtype, std::move(shape), {}};
  switch (dtype) {
    case Dtype::f16: array.bytes = detail::encoded<std::uint16_t>(values, detail::Half::encode); break;
    case Dtype::f32:
      array.bytes = detail::encoded<float>(values, [](T value) { return static_cast<float>(value); });
      break;
    case Dtype::f64:
      array.bytes = detail::encoded<double>(values, [](T value) { return static_cast<double>(value); });
      break;
    default:
      throw std::invalid_argument("element type is " + std::string(to_string(dtype)) + "; allowed: F16, F32, F64");
  }
  return array;
}

}  // namespace fewstep::io
