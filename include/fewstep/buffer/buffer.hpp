#pragma once

#include "../errors.hpp"

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace fewstep {

/// A batch of samples as contiguous numbers, one sample after the other: the caller's memory, or memory of its own.
///
///   Buffer<float> own(std::vector<float>(2 * 784), 2);        // two samples of 784 numbers
///   auto seen = Buffer<float>::view({pointer, 2 * 784}, 2);   // nothing is copied; results are written there
///
/// A copy has memory of its own, a moved buffer keeps the memory of the original. Assigning to a view writes into the
/// memory that it sees.
template <std::floating_point T>
class Buffer {
 public:
  using Scalar = T;

  /// No numbers: only to be assigned to.
  Buffer() = default;
  /// @param numbers  of all samples
  /// @param samples  of equal length
  /// @throws std::invalid_argument unless the samples fill the numbers.
  explicit Buffer(std::vector<T> numbers, std::size_t samples = 1)
      : own_(std::move(numbers)), data_(own_.data()), size_(own_.size()), samples_(samples) {
    validate();
  }
  /// A buffer that sees memory of the caller, which must outlive it.
  /// @throws std::invalid_argument unless the samples fill the numbers.
  static Buffer view(std::span<T> numbers, std::size_t samples = 1) {
    Buffer seen;
    seen.data_ = numbers.data();
    seen.size_ = numbers.size();
    seen.samples_ = samples;
    seen.validate();
    return seen;
  }

  Buffer(const Buffer& o) : own_(o.begin(), o.end()), data_(own_.data()), size_(o.size_), samples_(o.samples_) {}
  Buffer(Buffer&& o) noexcept
      : own_(std::move(o.own_)),
        data_(std::exchange(o.data_, nullptr)),
        size_(std::exchange(o.size_, 0)),
        samples_(std::exchange(o.samples_, 1)) {}
  Buffer& operator=(const Buffer& o) {
    if (this == &o) return *this;
    reshape(o);
    std::copy(o.begin(), o.end(), data_);
    return *this;
  }
  Buffer& operator=(Buffer&& o) {  // NOLINT(performance-noexcept-move-constructor): a view refuses another size
    if (is_view() || o.is_view()) return *this = std::as_const(o);
    swap(*this, o);
    return *this;
  }
  ~Buffer() = default;

  bool is_view() const { return data_ != own_.data(); }
  T* data() { return data_; }
  const T* data() const { return data_; }
  std::size_t size() const { return size_; }  ///< numbers of all samples
  std::size_t samples() const { return samples_; }
  std::size_t numbers() const { return size_ / samples_; }  ///< of one sample
  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }
  T& operator[](std::size_t i) { return data_[i]; }
  T operator[](std::size_t i) const { return data_[i]; }
  std::span<T> sample(std::size_t b) { return {data_ + b * numbers(), numbers()}; }
  std::span<const T> sample(std::size_t b) const { return {data_ + b * numbers(), numbers()}; }

  /// Gives this buffer the shape of another one.
  /// @throws std::invalid_argument for a view of another size.
  void reshape(const Buffer& o) {
    if (size_ != o.size_) {
      require(!is_view(), "the size of a denoised batch", o.size_, {size_, ", as the state"});
      own_.resize(o.size_);
      data_ = own_.data();
      size_ = o.size_;
    }
    samples_ = o.samples_;
  }

  /// Exchanges the numbers; between buffers with memory of their own, without a copy.
  /// @throws std::invalid_argument where one is a view and the other has another size.
  friend void swap(Buffer& a, Buffer& b) {  // NOLINT(*-noexcept-swap, bugprone-exception-escape)
    if (a.is_view() || b.is_view()) {
      require(a.size_ == b.size_, "the size of a denoised batch", b.size_, {a.size_, ", as the state"});
      std::swap_ranges(a.begin(), a.end(), b.begin());
    } else {
      std::swap(a.own_, b.own_);
      std::swap(a.data_, b.data_);
      std::swap(a.size_, b.size_);
    }
    std::swap(a.samples_, b.samples_);
  }

 private:
  void validate() const {
    require(size_ > 0, "the state's size", size_, "1 or more");
    require(samples_ > 0 && size_ % samples_ == 0, "samples", samples_, {"divisors of the state's size, ", size_});
  }

  std::vector<T> own_;  // empty for a view
  T* data_ = nullptr;
  std::size_t size_ = 0, samples_ = 1;
};

}  // namespace fewstep
