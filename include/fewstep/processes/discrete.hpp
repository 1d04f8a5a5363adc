#pragma once

#include "noise_process.hpp"
#include "noise_table.hpp"

#include <algorithm>
#include <cmath>

namespace fewstep {

/// The process of a network that was trained on a table of betas and takes a training step as its label.
///
///   label = t M - 1, limited to [0, M - 1]
///
/// t: training time of the level, in (0, 1]; M: number of training steps, numbered from 0. sigma: see NoiseTable.
struct Discrete {
  NoiseTable table;
  bool rounded = false;  ///< true: labels are rounded to whole training steps

  static constexpr bool variance_preserving = true;
  double sigma(double t) const { return table.sigma(t); }
  double time(double sigma) const { return table.time(sigma); }
  double label(double sigma) const {
    const double count = static_cast<double>(table.size());
    const double step = std::clamp(time(sigma) * count - 1, 0., count - 1);
    return rounded ? std::round(step) : step;
  }
  template <class T>
  auto alpha(const T& sigma) const {
    return detail::variance_preserving_alpha(sigma);
  }
};

}  // namespace fewstep
