#pragma once

#include "solver.hpp"

#include <cstddef>
#include <utility>
#include <vector>

namespace fewstep {

/// The last model outputs of a multistep solver and their noise levels, [0] the newest. Allocates in its constructor
/// only.
template <State X>
class History {
 public:
  /// @param x  a state of the run's shape
  /// @param capacity  outputs to keep: the solver's order minus 1
  History(const X& x, std::size_t capacity) : level_(capacity, Level<X>(0.)) {
    for (Level<X>& t : level_) {
      value_.push_back(algebra<X>::like(x));
      algebra<X>::fit(t, x);
    }
  }

  std::size_t size() const { return size_; }  ///< outputs kept so far, up to the capacity
  const X& operator[](std::size_t k) const { return value_[slot(k)]; }
  const Level<X>& level(std::size_t k) const { return level_[slot(k)]; }

  /// Swaps in v, the target at the left end of step n, as the newest output; v then holds the evicted buffer. A state
  /// that contains its numbers is copied, since a swap would copy it three times. Does nothing for a step that is not
  /// to be remembered.
  void push(X& v, const Step<X>& n) {
    if (value_.empty() || !n.remember) return;
    head_ = head_ + 1 == value_.size() ? 0 : head_ + 1;
    if constexpr (requires { requires algebra<X>::stored_inside; }) value_[head_] = v;
    else std::swap(value_[head_], v);
    level_[head_] = n.from;
    if (size_ < value_.size()) ++size_;
  }

  void detach() {
    for (X& v : value_) algebra<X>::detach(v);
    for (Level<X>& t : level_) algebra<X>::detach(t);
  }

 private:
  std::size_t slot(std::size_t k) const { return head_ < k ? head_ + value_.size() - k : head_ - k; }

  std::vector<X> value_;
  std::vector<Level<X>> level_;
  std::size_t head_ = 0, size_ = 0;
};

/// The memory of a one-step solver.
struct NoMemory {
  void detach() {}
};

}  // namespace fewstep
