#pragma once

#include "../errors.hpp"

#include <cmath>
#include <cstddef>
#include <vector>

namespace fewstep {

namespace detail {

/// @throws std::invalid_argument naming the member and the component that is out of range.
inline void validate_mixture(const std::vector<double>& weights, const std::vector<std::vector<double>>& means) {
  require(!weights.empty(), "GaussianMixture::weights.size()", 0, "1 or more");
  require(means.size() == weights.size() && !means[0].empty(), "GaussianMixture::means.size()", means.size(),
          "as many as weights, not empty");
  for (std::size_t k = 0; k < weights.size(); ++k) {
    require(weights[k] > 0 && std::isfinite(weights[k]), {"GaussianMixture::weights[", k, "]"}, weights[k],
            "positive numbers");
    require(means[k].size() == means[0].size(), {"GaussianMixture::means[", k, "].size()"}, means[k].size(),
            means[0].size());
  }
}

}  // namespace detail

/// A Gaussian mixture over vectors of d numbers: data whose exact denoiser is known, for tests and examples.
/// Component k of K is N(means[k], deviations[k]^2 I).
struct GaussianMixture {
  std::vector<double> weights;             ///< [K], above 0; need not add up to 1
  std::vector<std::vector<double>> means;  ///< [K][d]
  std::vector<double> deviations;          ///< [K], 0 or more

  /// @throws std::invalid_argument naming the member and the component that is out of range.
  void validate() const {
    detail::validate_mixture(weights, means);
    require(deviations.size() == weights.size(), "GaussianMixture::deviations.size()", deviations.size(),
            "one per weight");
    for (std::size_t k = 0; k < deviations.size(); ++k)
      require(deviations[k] >= 0 && std::isfinite(deviations[k]), {"GaussianMixture::deviations[", k, "]"},
              deviations[k], "0 or more");
  }
};

/// A Gaussian mixture whose component k is N(means[k], covariances[k]).
struct CorrelatedMixture {
  std::vector<double> weights;                   ///< [K], above 0; need not add up to 1
  std::vector<std::vector<double>> means;        ///< [K][d]
  std::vector<std::vector<double>> covariances;  ///< [K][d d], row-major, positive semidefinite

  /// Checks all but that covariances are positive semidefinite.
  /// @throws std::invalid_argument naming the member and the component that is out of range.
  void validate() const {
    detail::validate_mixture(weights, means);
    const std::size_t d = means[0].size();
    require(covariances.size() == weights.size(), "CorrelatedMixture::covariances.size()", covariances.size(),
            "one per weight");
    for (std::size_t k = 0; k < covariances.size(); ++k)
      require(covariances[k].size() == d * d, {"CorrelatedMixture::covariances[", k, "].size()"}, covariances[k].size(),
              d * d);
  }
};

}  // namespace fewstep
