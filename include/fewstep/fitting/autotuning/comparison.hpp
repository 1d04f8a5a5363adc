// Two samplers on the same unseen noise, with intervals.
#pragma once

#include "../calibration/distances.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

namespace fewstep {

/// Distances between a sampler's ends and the teacher's, per number of a sample.
struct EndDistances {
  double rms = 0, median = 0;
  /// Share of the farthest twentieth of the samples in the sum of squares; above 1/2, a few samples decide the RMS.
  double tail = 0;
  std::size_t lost = 0;  ///< samples that are not finite, which count nowhere else
};

/// A fitted sampler against a classic one on noise that nothing was fitted to or chosen by.
struct UnseenComparison {
  std::size_t samples = 0;
  EndDistances fitted, classic;
  /// 95% intervals (paired bootstrap) of the fitted sampler's distances relative to the classic one's.
  std::array<double, 2> rms_ratio{}, median_ratio{};
  /// Whether one interval lies below 1 and the other one not above.
  bool better() const {
    return samples > 0 && fitted.lost <= classic.lost && (std::min)(rms_ratio[1], median_ratio[1]) < 1 &&
           (std::max)(rms_ratio[0], median_ratio[0]) <= 1;
  }
};

namespace detail {

/// @param squares  one per sample, per number; lost_sample where not finite
inline EndDistances end_distances(const std::vector<double>& squares) {
  EndDistances made;
  std::vector<double> finite;
  for (const double square : squares)
    if (square != lost_sample) finite.push_back(square);
  made.lost = squares.size() - finite.size();
  if (finite.empty()) {
    made.rms = made.median = std::numeric_limits<double>::infinity();
    return made;
  }
  std::sort(finite.begin(), finite.end());
  double sum = 0, tail = 0;
  for (std::size_t n = 0; n < finite.size(); ++n) {
    sum += finite[n];
    if (20 * n >= 19 * finite.size()) tail += finite[n];
  }
  made.rms = std::sqrt(sum / static_cast<double>(finite.size()));
  made.median = std::sqrt(finite[finite.size() / 2]);
  made.tail = sum > 0 ? tail / sum : 0;
  return made;
}

/// Compares two samplers on the same samples.
/// @param fitted, classic  squared distances, per number
inline UnseenComparison compare_unseen(const std::vector<double>& fitted, const std::vector<double>& classic) {
  constexpr std::size_t draws = 1'000;
  UnseenComparison made{fitted.size(), end_distances(fitted), end_distances(classic)};
  std::vector<double> rms, median, of_fitted(fitted.size()), of_classic(fitted.size());
  std::uint64_t state = 1;  // a fixed sequence: the same intervals in each run
  for (std::size_t draw = 0; draw < draws; ++draw) {
    for (std::size_t n = 0; n < fitted.size(); ++n) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      const std::size_t k = (state >> 33) % fitted.size();
      of_fitted[n] = fitted[k];
      of_classic[n] = classic[k];
    }
    const EndDistances a = end_distances(of_fitted), b = end_distances(of_classic);
    rms.push_back(a.rms / b.rms);
    median.push_back(a.median / b.median);
  }
  for (auto& [ratios, interval] :
       {std::pair<std::vector<double>&, std::array<double, 2>&>{rms, made.rms_ratio}, {median, made.median_ratio}}) {
    std::sort(ratios.begin(), ratios.end());
    interval = {ratios[draws / 40], ratios[draws - 1 - draws / 40]};
  }
  return made;
}

}  // namespace detail

}  // namespace fewstep
