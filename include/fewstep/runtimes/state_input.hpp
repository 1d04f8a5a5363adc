#pragma once

#include "port.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace fewstep::detail {

/// The input that gets the samples.
class StateInput {
 public:
  /// @param sample_shape  extents of a sample; may be empty where the network leaves at most one of them open
  StateInput(Port port, std::size_t index, std::vector<std::int64_t> sample_shape)
      : index_(index), port_(std::move(port)), sample_shape_(std::move(sample_shape)) {}

  std::size_t index() const { return index_; }
  const Port& port() const { return port_; }
  /// Whether a run may have any number of samples.
  bool takes_any_batch() const { return !port_.shape || (!port_.shape->empty() && port_.shape->front() < 0); }

  /// Returns the shape of a run's input, whose product is a multiple of the numbers of a sample.
  /// @param part     samples of a run, if it may have any number
  /// @param numbers  of a sample
  /// @throws std::invalid_argument for samples that the network does not take.
  std::vector<std::int64_t> shape(std::size_t part, std::size_t numbers) const {
    std::vector<std::int64_t> all = port_.shape.value_or(sample_axes());
    if (!all.empty() && all[0] < 0) all[0] = static_cast<std::int64_t>(part);
    const auto open = static_cast<std::size_t>(std::count(all.begin(), all.end(), -1));
    if (!sample_shape_.empty() && all.size() == sample_shape_.size() + 1) {
      for (std::size_t k = 1; k < all.size(); ++k) {
        if (all[k] < 0) all[k] = sample_shape_[k - 1];
        if (all[k] != sample_shape_[k - 1]) refuse_numbers(numbers);
      }
    } else if (open == 1) {
      const auto place = std::find(all.begin(), all.end(), -1);
      *place = 1;
      const std::size_t others = count_of(all) / static_cast<std::size_t>(all[0]);
      if (others == 0 || numbers % others != 0) refuse_numbers(numbers);
      *place = static_cast<std::int64_t>(numbers / others);
    } else {
      require(open == 0, "sample_shape", "missing",
              {"the extents of a sample, as `", port_.name, "` is ", port_.text()});
    }
    if (count_of(all) == 0 || count_of(all) % numbers != 0) refuse_numbers(numbers);
    if (takes_any_batch() && count_of(all) != part * numbers) refuse_numbers(numbers);
    return all;
  }

 private:
  std::vector<std::int64_t> sample_axes() const {
    std::vector<std::int64_t> all{-1};
    all.insert(all.end(), sample_shape_.begin(), sample_shape_.end());
    if (sample_shape_.empty()) all.push_back(-1);
    return all;
  }
  [[noreturn]] void refuse_numbers(std::size_t numbers) const {
    refuse("the numbers of a sample", numbers, {"those of the network's input `", port_.name, "`, ", port_.text()});
  }

  std::size_t index_;
  Port port_;
  std::vector<std::int64_t> sample_shape_;
};

}  // namespace fewstep::detail
