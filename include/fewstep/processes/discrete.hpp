#pragma once

#include "noise_process.hpp"
#include "noise_table.hpp"

#include <algorithm>
#include <cmath>

namespace fewstep {

/// The process of such a network (noise_process.hpp). label = t M - 1, within [0, M - 1] whatever the level, as
/// networks take it whose training steps count from 0; `rounded`: to the nearest of them.
struct Discrete {
  NoiseTable table;
  bool rounded = false;

  static constexpr bool variance_preserving = true;
  double sigma(double t) const { return table.sigma(t); }
  double time(double sigma) const { return table.time(sigma); }
  double label(double sigma) const {
    const double count = static_cast<double>(table.size()), step = std::clamp(time(sigma) * count - 1, 0., count - 1);
    return rounded ? std::round(step) : step;
  }
  template <class T>
  auto alpha(const T& sigma) const {
    return detail::variance_preserving_alpha(sigma);
  }
};

}  // namespace fewstep
