// Training steps at quantiles of a beta distribution.
#pragma once

#include "../schedule.hpp"
#include "training_table.hpp"

#include <cmath>
#include <vector>

namespace fewstep {

namespace detail {

/// The regularised incomplete beta function I_x(a, b), by its continued fraction (DLMF 8.17.22) and Lentz's method.
inline double incomplete_beta(double a, double b, double x) {
  constexpr int max_terms = 300;
  constexpr double tolerance = 1e-16;
  if (x > (a + 1) / (a + b + 2)) return 1 - incomplete_beta(b, a, 1 - x);  // where the fraction converges faster
  const double front =
      std::exp(std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) + a * std::log(x) + b * std::log1p(-x)) / a;
  double c = 1, d = 1 / (1 - (a + b) * x / (a + 1)), value = d;
  for (int m = 1; m < max_terms; ++m) {
    const auto append = [&](double numerator) {
      d = 1 / (1 + numerator * d);
      c = 1 + numerator / c;
      value *= c * d;
    };
    append(m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)));
    append(-(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)));
    if (std::abs(c * d - 1) < tolerance) break;
  }
  return front * value;
}

}  // namespace detail

/// Quantile of the beta distribution: the x in [0, 1] with I_x(a, b) = share, I being the regularised incomplete beta
/// function.
/// @param share  between 0 and 1
/// @param a, b   shape of the distribution, 0.01 to 1000
inline double beta_quantile(double share, double a, double b) {
  constexpr int halvings = 200;  // more than the bits of a double, also near 0
  double low = 0, high = 1;
  for (int i = 0; i < halvings; ++i) {
    const double middle = (low + high) / 2;
    (detail::incomplete_beta(a, b, middle) < share ? low : high) = middle;
  }
  return (low + high) / 2;
}

/// Training steps at quantiles of a beta distribution, followed by 0: dense at both ends for a and b below 1.
/// Quantiles that round to the same training step count once, so the schedule may have fewer steps than
/// requested.
/// @param steps  1 or more
/// @param a, b   shape of the distribution, 0.01 to 1000
/// @throws std::invalid_argument for steps, a or b out of range.
/// Source: Lee et al. 2024, arXiv 2407.12173; ComfyUI's scheduler "beta".
inline Schedule beta_quantiles(const TrainingTable& table, int steps, double a = 0.6, double b = 0.6) {
  detail::require_steps(steps);
  for (const double shape : {a, b})  // beyond, the fraction of the distribution's integral does not converge
    require(shape >= 0.01 && shape <= 1000, "a and b", shape, "0.01 to 1000");
  std::vector<double> chosen;
  for (int i = 0; i < steps; ++i) {
    const double share = 1 - static_cast<double>(i) / steps;
    const double step =
        std::nearbyint((share < 1 ? beta_quantile(share, a, b) : 1) * (static_cast<double>(table.size()) - 1));
    if (chosen.empty() || step < chosen.back()) chosen.push_back(step);
  }
  return at_training_steps(table, chosen);
}

}  // namespace fewstep
