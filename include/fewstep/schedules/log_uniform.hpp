#pragma once

#include "../schedule.hpp"

#include <cmath>

namespace fewstep {

struct LogUniformOptions {
  int steps;
  double sigma_min = 0.002, sigma_max = 80;
  End end = End::sigma_min;
};

/// Uniform in log sigma, half the negative log-SNR (Lu et al. 2022, arXiv 2206.00927).
inline Schedule log_uniform(const LogUniformOptions& o) {
  const double first = std::log(o.sigma_max), last = std::log(o.sigma_min);
  return detail::spaced(o, [&](double u) { return std::exp(first + u * (last - first)); });
}

}  // namespace fewstep
