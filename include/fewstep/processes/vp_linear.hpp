#pragma once

#include "../errors.hpp"
#include "noise_process.hpp"

#include <cmath>

namespace fewstep {

/// Continuous variance-preserving process with beta(t) linear from beta_min at t = 0 to beta_max at t = 1.
///
///   sigma^2 = exp((beta_max - beta_min) t^2/2 + beta_min t) - 1,   label = label_scale t
///
/// t: training time in [0, 1].
/// Source: Song et al. 2021, arXiv 2011.13456; Karras et al. 2022, arXiv 2206.00364, table 1.
struct VpLinear {
  double beta_min = 0.1;   ///< above 0
  double beta_max = 20;    ///< beta_min or more
  double label_scale = 1;  ///< above 0; 999 for the networks of arXiv 2011.13456

  static constexpr bool variance_preserving = true;

  /// Returns the process with sigma(epsilon) = sigma_min and sigma(1) = sigma_max. Its beta_min may be negative.
  static VpLinear through(double sigma_min, double sigma_max, double epsilon = 1e-3) {
    const double exponent_at_epsilon = std::log1p(sigma_min * sigma_min);
    const double exponent_at_1 = std::log1p(sigma_max * sigma_max);
    const double growth = 2 * (exponent_at_epsilon / epsilon - exponent_at_1) / (epsilon - 1);
    const double beta_min = exponent_at_1 - growth / 2;
    return {.beta_min = beta_min, .beta_max = beta_min + growth};
  }
  void validate() const {
    require(beta_min > 0 && std::isfinite(beta_min), "VpLinear::beta_min", beta_min, "positive numbers");
    require(beta_max >= beta_min && std::isfinite(beta_max), "VpLinear::beta_max", beta_max, "beta_min or more");
    require(label_scale > 0 && std::isfinite(label_scale), "VpLinear::label_scale", label_scale, "positive numbers");
  }
  template <class T>
  auto sigma(const T& t) const {
    using std::expm1, std::sqrt;
    return sqrt(expm1(t * (0.5 * (beta_max - beta_min) * t + beta_min)));
  }
  template <class T>
  auto time(const T& sigma) const {
    using std::log1p, std::sqrt;
    const auto exponent = log1p(sigma * sigma);
    // The quadratic's root in the form that does not cancel, whatever the sign of beta_max - beta_min.
    return 2. * exponent / (sqrt(beta_min * beta_min + 2. * (beta_max - beta_min) * exponent) + beta_min);
  }
  template <class T>
  auto label(const T& sigma) const {
    return label_scale * time(sigma);
  }
  template <class T>
  auto alpha(const T& sigma) const {
    return detail::variance_preserving_alpha(sigma);
  }
};

}  // namespace fewstep
