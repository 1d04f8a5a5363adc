#pragma once

#include "concepts.hpp"

#include <vector>

namespace fewstep {

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
      if constexpr (std::is_same_v<decltype(observe(snapshot)), bool>)
        return observe(snapshot);
      else
        return observe(snapshot), true;
    };
    return (ask(observers) && ...);
  };
}

}  // namespace fewstep
