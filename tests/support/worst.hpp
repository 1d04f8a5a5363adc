#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

namespace fewstep::test {

/// The larger one of two errors; NaN, which std::max would hide, counts as infinite.
inline double worst(double a, double b) {
  return std::isnan(a) || std::isnan(b) ? std::numeric_limits<double>::infinity() : (std::max)(a, b);
}

}  // namespace fewstep::test
