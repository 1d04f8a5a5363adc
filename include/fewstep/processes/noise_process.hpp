// How networks were noised in training, x_t = alpha (x0 + sigma noise), in terms of sigma: the library's noise level.
#pragma once

#include "../algebra.hpp"
#include "../errors.hpp"

#include <cmath>
#include <concepts>
#include <numbers>

namespace fewstep {

/// A process has label(sigma), what the network is told, and alpha(sigma), the factor from x0 + sigma noise to its input
/// (`unit`: none). Those here also have sigma(t) and its inverse time(sigma), exact to rounding. label may take doubles
/// only; alpha runs on doubles and tensors.
template <class P>
concept NoiseProcess = requires(const P process, double sigma) {
  { process.label(sigma) } -> std::convertible_to<double>;
  process.alpha(sigma);
};

/// A process with alpha^2 (1 + sigma^2) = 1, which says so by `static constexpr bool variance_preserving = true`.
template <class P>
concept VariancePreserving = NoiseProcess<P> && P::variance_preserving;

namespace detail {

template <class T>
auto variance_preserving_alpha(const T& sigma) {
  using std::sqrt;
  return 1. / sqrt(1. + sigma * sigma);
}

template <class P>
P checked_process(P process) {
  if constexpr (requires { process.validate(); }) process.validate();
  return process;
}

}  // namespace detail

/// Continuous variance-preserving process with beta(t) from beta_min at t = 0 to beta_max at t = 1,
///   sigma^2 = exp(beta_d t^2/2 + beta_min t) - 1,   beta_d = beta_max - beta_min;   label = label_scale t
/// (Song et al. 2021, arXiv 2011.13456, whose networks take label_scale = 999; Karras et al. 2022, arXiv 2206.00364, table 1).
struct VpLinear {
  double beta_min = 0.1, beta_max = 20, label_scale = 1;

  static constexpr bool variance_preserving = true;
  /// The process with sigma(epsilon) = sigma_min and sigma(1) = sigma_max; beta(0) may come out below 0.
  static VpLinear through(double sigma_min, double sigma_max, double epsilon = 1e-3) {
    const double at_min = std::log1p(sigma_min * sigma_min), at_max = std::log1p(sigma_max * sigma_max);
    const double growth = 2 * (at_min / epsilon - at_max) / (epsilon - 1), least = at_max - growth / 2;
    return {.beta_min = least, .beta_max = least + growth};
  }
  void validate() const {
    require(beta_min > 0 && std::isfinite(beta_min), "VpLinear::beta_min", beta_min, "positive numbers");
    require(beta_max >= beta_min && std::isfinite(beta_max), "VpLinear::beta_max", beta_max, "numbers of beta_min or more");
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
    const auto growth = log1p(sigma * sigma);  // the root that does not cancel, whatever the sign of the other term
    return 2. * growth / (sqrt(beta_min * beta_min + 2. * (beta_max - beta_min) * growth) + beta_min);
  }
  template <class T>
  auto label(const T& sigma) const { return label_scale * time(sigma); }
  template <class T>
  auto alpha(const T& sigma) const { return detail::variance_preserving_alpha(sigma); }
};

/// Continuous variance-preserving process with alpha = cos(theta)/cos(theta_0), theta = (pi/2)(t + s)/(1 + s),
///   sigma^2 = sin(theta - theta_0) sin(theta + theta_0)/cos^2(theta),   infinite at t = 1;   label = label_scale t
/// (Nichol & Dhariwal 2021, arXiv 2102.09672, equation 17).
struct VpCosine {
  double s = 0.008, label_scale = 1;

  static constexpr bool variance_preserving = true;
  void validate() const {
    require(s >= 0 && std::isfinite(s), "VpCosine::s", s, "numbers of 0 or more");
    require(label_scale > 0 && std::isfinite(label_scale), "VpCosine::label_scale", label_scale, "positive numbers");
  }
  template <class T>
  auto sigma(const T& t) const {
    using std::sin, std::sqrt;
    const double unit_angle = angle_per_time();
    return sqrt(sin(unit_angle * t) * sin(unit_angle * (t + 2. * s))) / sin(unit_angle * (1. - t));  // cos(theta), from t = 1
  }
  template <class T>
  auto time(const T& sigma) const {
    using std::atan, std::sqrt;
    const double first = angle_per_time() * s, sine = std::sin(first), cosine = std::cos(first);
    const auto root = sqrt(sine * sine + sigma * sigma);  // tan(theta) cos(theta_0)
    // theta - theta_0 by the tangent of a difference, the difference of tangents free of cancellation.
    return atan(sigma * sigma * cosine / ((root + sine) * (cosine * cosine + root * sine))) / angle_per_time();
  }
  template <class T>
  auto label(const T& sigma) const { return label_scale * time(sigma); }
  template <class T>
  auto alpha(const T& sigma) const { return detail::variance_preserving_alpha(sigma); }

 private:
  double angle_per_time() const { return std::numbers::pi / 2 / (1 + s); }
};

/// Variance-exploding process: t = sigma, the network sees x0 + sigma noise and, times label_scale, sigma.
struct Ve {
  double label_scale = 1;

  void validate() const {
    require(label_scale > 0 && std::isfinite(label_scale), "Ve::label_scale", label_scale, "positive numbers");
  }
  template <class T>
  auto sigma(const T& t) const { return t; }
  template <class T>
  auto time(const T& sigma) const { return sigma; }
  template <class T>
  auto label(const T& sigma) const { return label_scale * sigma; }
  template <class T>
  unit_t alpha(const T&) const { return unit; }
};

/// Which end of a flow's time is noise. Image models (Stable Diffusion 3, FLUX) have it at 1, many papers and robot policies
/// at 0: their velocity has the other sign.
enum class NoiseAt { one, zero };

/// Linear (rectified) flow x_t = (1 - t) x0 + t noise: sigma = t/(1 - t), infinite at t = 1. `sigma` and `time` count t
/// from the data whatever `noise_at` says; the label is label_scale t, or label_scale (1 - t) where noise is at 0
/// (Liu et al. 2022, arXiv 2209.03003; Lipman et al. 2022, arXiv 2210.02747; Esser et al. 2024, arXiv 2403.03206: scale 1000).
struct Flow {
  NoiseAt noise_at = NoiseAt::one;
  double label_scale = 1;

  void validate() const {
    require(label_scale > 0 && std::isfinite(label_scale), "Flow::label_scale", label_scale, "positive numbers");
  }
  template <class T>
  auto sigma(const T& t) const { return t / (1. - t); }
  template <class T>
  auto time(const T& sigma) const { return sigma / (1. + sigma); }
  template <class T>
  auto label(const T& sigma) const {
    return noise_at == NoiseAt::one ? label_scale * (sigma / (1. + sigma)) : label_scale * (1. / (1. + sigma));
  }
  template <class T>
  auto alpha(const T& sigma) const { return 1. / (1. + sigma); }
};

}  // namespace fewstep
