#pragma once

#include "../array/codec.hpp"
#include "../buffer/level.hpp"
#include "port.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace fewstep::detail {

/// The input that gets the label, in the type and shape that the network wants: a scalar, one number for the batch, or
/// one per sample, also as [B, 1, ...].
class LabelInput {
 public:
  /// @throws std::invalid_argument for a shape that holds something else.
  LabelInput(const Port& port, std::size_t index) : port_(index), name_(port.name), dtype_(port.dtype) {
    shape_ = port.shape.value_or(std::vector<std::int64_t>{-1});
    for (std::size_t k = 1; k < shape_.size(); ++k) {
      require(shape_[k] == 1 || shape_[k] < 0, {"the label's input `", name_, "`"}, port.text(), "[], [B] or [B, 1]");
      shape_[k] = 1;
    }
  }

  std::size_t port() const { return port_; }
  /// Whether one number serves all samples of a run, however many they are.
  bool is_shared() const { return shape_.empty() || shape_[0] == 1; }

  /// Returns the labels for samples first, first + 1, ... of a batch; parameters as ConditionInput::at().
  /// @throws std::invalid_argument for another number of labels than the network takes, or different labels where it
  /// takes one.
  const std::byte* at(const BufferLevel& label, std::size_t first, std::size_t part, std::size_t samples,
                      std::vector<std::int64_t>& shape, std::vector<std::byte>& memory) const {
    const std::size_t count = shape_.empty() ? 1 : shape_[0] < 0 ? part : static_cast<std::size_t>(shape_[0]);
    require(count == part || count == 1, {"the samples of each run"}, part, {count, ", as `", name_, "` has labels"});
    require(count == part || !label.per_sample(), {"the labels of `", name_, "`"}, "one per sample",
            "one for the batch");
    shape = shape_;
    if (!shape.empty()) shape[0] = static_cast<std::int64_t>(count);
    memory.resize(count * item_size(dtype_));
    for (std::size_t i = 0; i < count; ++i) {
      const double value = label[(std::min)(first + i, samples - 1)];
      encode(&value, 1, dtype_, memory.data() + i * item_size(dtype_));
    }
    return memory.data();
  }

 private:
  std::size_t port_;
  std::string name_;
  Dtype dtype_;
  std::vector<std::int64_t> shape_ = {};
};

}  // namespace fewstep::detail
