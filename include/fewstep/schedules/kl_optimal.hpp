#pragma once

#include "../schedule.hpp"

#include <cmath>

namespace fewstep {

struct KlOptimalOptions {
  int steps;
  double sigma_min = 0.002, sigma_max = 80;
  End end = End::sigma_min;
};

/// Uniform in arctan sigma (Sabour et al. 2024, arXiv 2404.14507).
inline Schedule kl_optimal(const KlOptimalOptions& o) {
  const double first = std::atan(o.sigma_max), last = std::atan(o.sigma_min);
  return detail::spaced(o, [&](double u) { return std::tan(first + u * (last - first)); });
}

}  // namespace fewstep
