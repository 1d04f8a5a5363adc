#pragma once

#include "../array/codec.hpp"
#include "port.hpp"
#include "rows.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace fewstep::detail {

/// Returns an array with its elements in another type. Integers may become floating-point numbers or other integers,
/// and floating-point numbers others of their kind.
/// @param name  for the message
/// @throws std::invalid_argument for floating-point numbers where integers are wanted, or an integer out of range.
inline Array converted(Array array, Dtype dtype, const std::string& name) {
  if (array.dtype == dtype) return array;
  const bool whole = !is_float(dtype);
  require(!whole || !is_float(array.dtype), {"the type of `", name, "`"}, to_string(array.dtype), to_string(dtype));
  const std::size_t count = array.bytes.size() / item_size(array.dtype);
  Array made{dtype, std::move(array.shape), std::vector<std::byte>(count * item_size(dtype))};
  if (whole) {
    std::vector<std::int64_t> numbers(count), stored(count);
    decode(array.bytes.data(), count, array.dtype, numbers.data());
    encode(numbers.data(), count, dtype, made.bytes.data());
    decode(made.bytes.data(), count, dtype, stored.data());
    for (std::size_t i = 0; i < count; ++i)
      require(stored[i] == numbers[i], {"`", name, "`[", i, "]"}, numbers[i],
              {"numbers that ", to_string(dtype), " holds"});
  } else {
    std::vector<double> numbers(count);
    decode(array.bytes.data(), count, array.dtype, numbers.data());
    encode(numbers.data(), count, dtype, made.bytes.data());
  }
  return made;
}

/// An input that gets the same values in every evaluation: one row for all samples, or one per sample.
class ConditionInput {
 public:
  /// @throws std::invalid_argument for values of another type or shape than the network wants.
  ConditionInput(const Port& port, std::size_t index, Array values)
      : port_(index), name_(port.name), values_(converted(std::move(values), port.dtype, port.name)) {
    const std::vector<std::int64_t>& given = values_.shape;
    wanted_ = port.shape.value_or(given);
    const bool has_rows = given.size() == wanted_.size();
    const std::size_t extra = has_rows ? 0 : 1;  // the axis of samples, which the values do not have
    bool fits = given.size() + extra == wanted_.size();
    for (std::size_t k = 1 - extra; fits && k < given.size(); ++k)
      fits = wanted_[k + extra] < 0 || wanted_[k + extra] == given[k];
    require(fits, {"the shape of `", name_, "`"}, Port{{}, values_.dtype, given}.text(), port.text());
    rows_ = has_rows && !given.empty() ? static_cast<std::size_t>(given[0]) : 1;
    require(rows_ > 0, {"the rows of `", name_, "`"}, rows_, "1 or more");
    for (std::size_t k = 1; k < wanted_.size(); ++k) wanted_[k] = given[k - extra];
  }

  std::size_t port() const { return port_; }

  /// Returns the values for samples first, first + 1, ... of a batch.
  /// @param part     samples of this run
  /// @param shape    set to that of the values
  /// @param memory   holds them where they do not lie one after the other
  /// @throws std::invalid_argument for fewer rows than samples, or a network that takes another number of rows.
  const std::byte* at(std::size_t first, std::size_t part, std::size_t samples, std::vector<std::int64_t>& shape,
                      std::vector<std::byte>& memory) const {
    shape = wanted_;
    if (shape.empty()) return values_.bytes.data();
    const std::size_t wanted = shape[0] < 0 ? part : static_cast<std::size_t>(shape[0]);
    shape[0] = static_cast<std::int64_t>(wanted);
    if (wanted != part && wanted == rows_) return values_.bytes.data();  // not per sample
    require(wanted == part, {"the samples of each run"}, part, {wanted, ", as `", name_, "` has rows"});
    require(rows_ == 1 || rows_ >= samples, {"the rows of `", name_, "`"}, rows_, {"1, or ", samples, " or more"});
    return Rows{values_.bytes.data(), values_.bytes.size() / rows_, rows_}.part(first, wanted, memory);
  }

 private:
  std::size_t port_;
  std::string name_;
  Array values_;
  std::vector<std::int64_t> wanted_ = {};
  std::size_t rows_ = 1;
};

}  // namespace fewstep::detail
