// The exact denoiser of data with two peaks, which the comparisons with other programs share.
#pragma once

#include <algorithm>
#include <cmath>

namespace fewstep::test {

/// E[x0 | x0 + sigma n = x] for data 0.4 N(1, 0.2^2) + 0.6 N(-1, 0.3^2).
inline double two_peaks(double x, double sigma) {
  const double weights[] = {0.4, 0.6}, means[] = {1, -1}, deviations[] = {0.2, 0.3};
  double logs[2], sum = 0, image = 0;
  for (int k = 0; k < 2; ++k) {
    const double variance = deviations[k] * deviations[k] + sigma * sigma, away = x - means[k];
    logs[k] = std::log(weights[k]) - 0.5 * std::log(variance) - 0.5 * away * away / variance;
  }
  for (int k = 0; k < 2; ++k) {
    const double share = std::exp(logs[k] - (std::max)(logs[0], logs[1]));
    const double kept = deviations[k] * deviations[k] / (deviations[k] * deviations[k] + sigma * sigma);
    sum += share;
    image += share * (means[k] + kept * (x - means[k]));
  }
  return image / sum;
}

}  // namespace fewstep::test
