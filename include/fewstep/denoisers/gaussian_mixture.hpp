#pragma once

#include "../errors.hpp"

#include <cmath>
#include <cstddef>
#include <vector>

namespace fewstep {

/// A Gaussian mixture over vectors of d numbers: data whose exact denoiser is known, for tests and examples.
///
/// Component k of K is N(means[k], deviations[k]^2 I), or N(means[k], covariances[k]) where covariances are given.
struct GaussianMixture {
  std::vector<double> weights;                        ///< [K], above 0; need not add up to 1
  std::vector<std::vector<double>> means;             ///< [K][d]
  std::vector<double> deviations = {};                ///< [K], 0 or more; empty with covariances
  std::vector<std::vector<double>> covariances = {};  ///< [K][d d], row-major; or empty

  std::size_t dimension() const { return means.empty() ? 0 : means[0].size(); }

  /// @throws std::invalid_argument naming the member and the component that is out of range.
  void validate() const {
    const std::size_t n = weights.size(), d = dimension();
    require(n > 0, "GaussianMixture::weights.size()", n, "1 or more");
    require(means.size() == n && d > 0, "GaussianMixture::means.size()", means.size(), "as many as weights, not empty");
    const bool full = !covariances.empty();
    require((full ? covariances.size() : deviations.size()) == n && (!full || deviations.empty()),
            "GaussianMixture::deviations.size()", deviations.size(), "one per weight, or covariances instead");
    for (std::size_t k = 0; k < n; ++k) {
      require(weights[k] > 0 && std::isfinite(weights[k]), {"GaussianMixture::weights[", k, "]"}, weights[k],
              "positive numbers");
      require(means[k].size() == d, {"GaussianMixture::means[", k, "].size()"}, means[k].size(), d);
      if (full)
        require(covariances[k].size() == d * d, {"GaussianMixture::covariances[", k, "].size()"}, covariances[k].size(),
                d * d);
      else
        require(deviations[k] >= 0 && std::isfinite(deviations[k]), {"GaussianMixture::deviations[", k, "]"},
                deviations[k], "0 or more");
    }
  }
};

}  // namespace fewstep
