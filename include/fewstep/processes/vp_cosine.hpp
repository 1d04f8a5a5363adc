#pragma once

#include "../errors.hpp"
#include "noise_process.hpp"

#include <cmath>
#include <numbers>

namespace fewstep {

/// Continuous variance-preserving process with the cosine schedule of alpha.
///
///   alpha = cos(theta)/cos(theta_0),   theta = (pi/2)(t + s)/(1 + s),   theta_0: theta at t = 0,
///   sigma^2 = sin(theta - theta_0) sin(theta + theta_0)/cos^2(theta),   label = label_scale t
///
/// t: training time in [0, 1]. The level at t = 1 is infinite.
/// Source: Nichol & Dhariwal 2021, arXiv 2102.09672, equation 17.
struct VpCosine {
  double s = 0.008;        ///< offset, 0 or more
  double label_scale = 1;  ///< above 0

  static constexpr bool variance_preserving = true;
  void validate() const {
    require(s >= 0 && std::isfinite(s), "VpCosine::s", s, "0 or more");
    require(label_scale > 0 && std::isfinite(label_scale), "VpCosine::label_scale", label_scale, "positive numbers");
  }
  template <class T>
  auto sigma(const T& t) const {
    using std::sin, std::sqrt;
    const double unit_angle = angle_per_time();
    // The divisor is cos(theta), as a sine that is exact near t = 1.
    return sqrt(sin(unit_angle * t) * sin(unit_angle * (t + 2. * s))) / sin(unit_angle * (1. - t));
  }
  template <class T>
  auto time(const T& sigma) const {
    using std::atan, std::sqrt;
    const double theta_0 = angle_per_time() * s, sine = std::sin(theta_0), cosine = std::cos(theta_0);
    const auto root = sqrt(sine * sine + sigma * sigma);  // tan(theta) cos(theta_0)
    // theta - theta_0 as the arctangent of tan(theta - theta_0), rearranged so that nothing cancels.
    return atan(sigma * sigma * cosine / ((root + sine) * (cosine * cosine + root * sine))) / angle_per_time();
  }
  template <class T>
  auto label(const T& sigma) const {
    return label_scale * time(sigma);
  }
  template <class T>
  auto alpha(const T& sigma) const {
    return detail::variance_preserving_alpha(sigma);
  }

 private:
  double angle_per_time() const { return std::numbers::pi / 2 / (1 + s); }
};

}  // namespace fewstep
