// How numbers are stored in the element types.
#pragma once

#include "array.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace fewstep::detail {

/// IEEE 754 binary16: 10 stored bits of the significand, exponents -14 to 15, stored with 15 added.
struct Half {
  using Stored = std::uint16_t;
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

/// The upper half of a float.
struct BFloat16 {
  using Stored = std::uint16_t;
  static float decode(std::uint16_t bits) { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }

  /// Rounds to the nearest value, ties to even.
  static std::uint16_t encode(double value) {
    constexpr std::uint32_t quiet = 0x40;
    const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(value));
    if (std::isnan(value)) return static_cast<std::uint16_t>(bits >> 16 | quiet);
    return static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
  }
};

/// A type of the language. Numbers that are not whole are rounded to the nearest integer.
template <class T>
struct Plain {
  using Stored = T;
  static T decode(T stored) { return stored; }
  template <class N>
  static T encode(N number) {
    if constexpr (std::integral<T> && std::floating_point<N>) return static_cast<T>(std::nearbyint(number));
    else return static_cast<T>(number);
  }
};

/// Returns f(codec) for the codec of an element type.
template <class F>
decltype(auto) with_codec(Dtype dtype, F&& f) {
  switch (dtype) {
    case Dtype::boolean: return f(Plain<bool>());
    case Dtype::u8: return f(Plain<std::uint8_t>());
    case Dtype::i8: return f(Plain<std::int8_t>());
    case Dtype::u16: return f(Plain<std::uint16_t>());
    case Dtype::i16: return f(Plain<std::int16_t>());
    case Dtype::f16: return f(Half());
    case Dtype::bf16: return f(BFloat16());
    case Dtype::u32: return f(Plain<std::uint32_t>());
    case Dtype::i32: return f(Plain<std::int32_t>());
    case Dtype::u64: return f(Plain<std::uint64_t>());
    case Dtype::i64: return f(Plain<std::int64_t>());
    case Dtype::f64: return f(Plain<double>());
    default: return f(Plain<float>());
  }
}

constexpr bool is_float(Dtype dtype) {
  return dtype == Dtype::f16 || dtype == Dtype::bf16 || dtype == Dtype::f32 || dtype == Dtype::f64;
}

/// The codecs of half precision take doubles.
template <class Codec, class T>
typename Codec::Stored encode_one(T number) {
  if constexpr (requires { Codec::template encode<T>(number); }) return Codec::encode(number);
  else return Codec::encode(static_cast<double>(number));
}

/// Stores numbers as elements of a type, rounded to the nearest values.
template <class T>
void encode(const T* numbers, std::size_t count, Dtype dtype, std::byte* to) {
  with_codec(dtype, [&]<class Codec>(Codec) {
    for (std::size_t i = 0; i < count; ++i) {
      const typename Codec::Stored stored = encode_one<Codec>(numbers[i]);
      std::memcpy(to + i * sizeof stored, &stored, sizeof stored);
    }
  });
}

/// Reads elements of a type as numbers.
template <class T>
void decode(const std::byte* from, std::size_t count, Dtype dtype, T* numbers) {
  with_codec(dtype, [&]<class Codec>(Codec) {
    for (std::size_t i = 0; i < count; ++i) {
      typename Codec::Stored stored;
      std::memcpy(&stored, from + i * sizeof stored, sizeof stored);
      numbers[i] = static_cast<T>(Codec::decode(stored));  // NOLINT(bugprone-signed-char-misuse): small integers
    }
  });
}

}  // namespace fewstep::detail
