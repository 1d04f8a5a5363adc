// Callables that see the state after every step.
#pragma once

#include "algebra.hpp"

#include <cstddef>
#include <type_traits>
#include <vector>

namespace fewstep {

/// What an observer receives after each step. References are valid during the call only.
template <State X>
struct Snapshot {
  std::size_t index;  ///< of the step just made, 0 to count - 1
  std::size_t count;  ///< steps of the schedule
  double from, to;    ///< noise levels of the step
  int evaluations;    ///< calls of the denoiser so far
  const X& x;         ///< the state at level `to`
  const X* denoised;  ///< the denoised batch at the step's first level, where Options::keep_denoised is set; else null
};

/// Any callable (const Snapshot<X>&). One that returns bool cancels the run by returning false.
template <class O, class X>
concept Observer = requires(O& observe, const Snapshot<X>& s) { observe(s); };

/// The observer that sample() and integrate() take by default.
struct IgnoreSnapshots {
  void operator()(const auto&) const {}
};

/// Keeps a copy of the state after every step: pass std::ref(trajectory) as the observer.
template <State X>
struct Trajectory {
  std::vector<X> states;
  void operator()(const Snapshot<X>& s) { states.push_back(s.x); }
};

namespace detail {

/// Calls an observer; false where it cancels the run.
template <class O, class S>
bool observed(O& observe, const S& snapshot) {
  if constexpr (std::is_same_v<decltype(observe(snapshot)), bool>) {
    return observe(snapshot);
  } else {
    observe(snapshot);
    return true;
  }
}

}  // namespace detail

/// Several observers as one, called in order; the first that returns false cancels the run.
template <class... O>
auto tee(O... observers) {
  return [=](const auto& snapshot) mutable { return (detail::observed(observers, snapshot) && ...); };
}

}  // namespace fewstep
