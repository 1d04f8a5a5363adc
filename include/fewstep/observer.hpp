// What an observer is shown, and the usual ones.
#pragma once

#include "algebra.hpp"

#include <cstddef>
#include <type_traits>
#include <vector>

namespace fewstep {

/// What an observer is shown after each step. References are valid during the call only.
template <State X>
struct Snapshot {
  std::size_t index;  // of the step just made
  std::size_t count;  // steps of the schedule
  double from, to;    // noise levels
  int evaluations;    // so far
  const X& x;
};

/// Any callable (const Snapshot<X>&); one that returns bool cancels the run with false.
template <class O, class X>
concept Observer = requires(O& observe, const Snapshot<X>& s) { observe(s); };

/// Keeps a copy of the state after every step: `sample(..., std::ref(trajectory))`.
template <State X>
struct Trajectory {
  std::vector<X> states;
  void operator()(const Snapshot<X>& s) { states.push_back(s.x); }
};

/// Several observers as one; the first that returns false cancels.
template <class... O>
auto tee(O... observers) {
  return [=](const auto& snapshot) mutable {
    const auto ask = [&](auto& observe) {
      if constexpr (std::is_same_v<decltype(observe(snapshot)), bool>) return observe(snapshot);
      else return observe(snapshot), true;
    };
    return (ask(observers) && ...);
  };
}

}  // namespace fewstep
