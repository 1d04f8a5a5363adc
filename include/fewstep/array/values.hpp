// Arrays as vectors of numbers.
#pragma once

#include "array.hpp"
#include "codec.hpp"

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace fewstep {

namespace detail {

template <class Error>
void require_float(Dtype dtype, const char* what) {
  if (!is_float(dtype)) throw Error(what + std::string(to_string(dtype)) + "; allowed: F16, BF16, F32, F64");
}

}  // namespace detail

/// Returns the elements of an array, row-major, as T: float or double.
///
/// @throws std::runtime_error for element types other than F16, BF16, F32 and F64.
template <class T>
std::vector<T> values_of(const Array& array) {
  detail::require_float<std::runtime_error>(array.dtype, "is of type ");
  std::vector<T> values(array.bytes.size() / item_size(array.dtype));
  detail::decode(array.bytes.data(), values.size(), array.dtype, values.data());
  return values;
}

/// Returns an array of these elements, row-major, rounded to the nearest values of the element type.
///
/// @throws std::invalid_argument for element types other than F16, BF16, F32 and F64.
template <class T>
Array array_of(const std::vector<T>& values, std::vector<std::int64_t> shape, Dtype dtype) {
  detail::require_float<std::invalid_argument>(dtype, "element type is ");
  Array array{dtype, std::move(shape), std::vector<std::byte>(values.size() * item_size(dtype))};
  detail::encode(values.data(), values.size(), dtype, array.bytes.data());
  return array;
}

}  // namespace fewstep
