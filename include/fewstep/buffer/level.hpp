#pragma once

#include <cstddef>
#include <vector>

namespace fewstep {

/// The noise level of a Buffer: one for the batch, or one per sample. Allocates only in fit(), or in each() for another
/// batch size.
class BufferLevel {
 public:
  explicit BufferLevel(double v) : value_(v) {}
  BufferLevel(const BufferLevel&) = default;
  BufferLevel(BufferLevel&&) = default;
  BufferLevel& operator=(const BufferLevel& o) {  // keeps the memory of a shared level
    value_ = o.value_;
    per_sample_ = o.per_sample_;
    if (per_sample_) each_ = o.each_;
    return *this;
  }
  ~BufferLevel() = default;

  bool per_sample() const { return per_sample_; }
  double value() const { return value_; }  ///< of a shared level
  double operator[](std::size_t b) const { return per_sample_ ? each_[b] : value_; }
  std::size_t size() const { return each_.size(); }
  void set(double v) {
    value_ = v;
    per_sample_ = false;
  }
  /// Switches to one level per sample.
  /// @return the levels, to be written
  std::vector<double>& each(std::size_t samples) {
    each_.resize(samples);
    per_sample_ = true;
    return each_;
  }
  void fit(std::size_t samples) { each_.resize(samples); }

 private:
  double value_;
  bool per_sample_ = false;
  std::vector<double> each_;
};

}  // namespace fewstep
