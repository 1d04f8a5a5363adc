// Problems with a known exact solution, on which solvers are measured.
#pragma once

#include "probe.hpp"

#include <cmath>
#include <cstddef>
#include <numbers>
#include <utility>

namespace fewstep::laws {

/// Data in one dimension: the mixture of N(peak, deviation^2) and N(-peak, deviation^2) with equal weights. With peak 0
/// it is a Gaussian.
struct TwoPeaks {
  double peak = 1, deviation = 0.5;

  /// The exact denoiser E[clean | x, sigma].
  double operator()(double x, double sigma) const {
    const double own = deviation * deviation, noise = sigma * sigma, total = own + noise;
    return (own * x + noise * peak * std::tanh(peak * x / total)) / total;
  }

  /// The exact solution of the ODE: the state at level `to` of the trajectory through x at level `from`. In one
  /// dimension a trajectory keeps its quantile, so the result is the y with upper_tail(y, to) = upper_tail(x, from).
  double flow(double x, double from, double to) const {
    constexpr int max_iterations = 100;
    constexpr double tolerance = 1e-15;
    if (x < 0) return -flow(-x, from, to);
    const double probability = upper_tail(x, from);
    double low = 0, high = 10 * (peak + std::hypot(deviation, to)), y = high / 2;
    for (int i = 0; i < max_iterations; ++i) {  // Newton's method, or bisection where it would leave the interval
      const double excess = upper_tail(y, to) - probability;
      (excess > 0 ? low : high) = y;
      const double next = y + excess / density(y, to);
      const double last = std::exchange(y, next > low && next < high ? next : low + (high - low) / 2);
      if (std::abs(y - last) <= tolerance * y) break;
    }
    return y;
  }

 private:
  /// The probability that a state at level sigma is above x.
  double upper_tail(double x, double sigma) const {
    const double width = std::numbers::sqrt2 * std::hypot(deviation, sigma);
    return std::erfc((x - peak) / width) / 2 + std::erfc((x + peak) / width) / 2;
  }
  double density(double x, double sigma) const {
    const double total = deviation * deviation + sigma * sigma;
    const auto bell = [&](double d) { return std::exp(-d * d / (2 * total)); };
    return (bell(x - peak) + bell(x + peak)) / std::sqrt(2 * std::numbers::pi * total);
  }
};

/// A denoiser of states X that applies f(x, sigma) -> double to each number. Its features, where the probe can make
/// them, are half the denoised numbers. Slow: for tests only.
template <State X, class F>
struct Elementwise {
  F f;

  bool operator()(const X& x, const Level<X>& sigma, X& out, Features<X>& features) const {
    Rows rows = probe<X>::read(x);
    for (std::size_t b = 0; b < rows.size(); ++b)
      for (double& v : rows[b]) v = f(v, probe<X>::level(sigma, b));
    out = probe<X>::make(rows);
    if constexpr (requires { probe<X>::features(rows); }) {
      for (auto& row : rows)
        for (double& v : row) v /= 2;
      features = probe<X>::features(rows);
      return true;
    }
    return false;
  }
};

/// Returns the denoiser that applies f(x, sigma) to each number.
template <State X, class F>
Elementwise<X, F> elementwise(F f) {
  return {f};
}

}  // namespace fewstep::laws
