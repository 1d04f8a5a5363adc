// The discrete noise process of a network trained on a table of betas.
#pragma once

#include "errors.hpp"
#include "schedule.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

namespace fewstep {

/// log alpha at the training times t_i = (i+1)/M, piecewise linear between them and continued by the outermost pieces
/// (Lu et al. 2022, arXiv 2206.00927, appendix D; noise-schedule wrapper of the DPM-Solver code).
class NoiseTable {
 public:
  /// @param betas  variances added at each training step, each in (0, 1)
  explicit NoiseTable(const std::vector<double>& betas) {
    require(betas.size() >= 2, "the number of betas", betas.size(), "2 or more");
    double sum = 0;
    for (std::size_t i = 0; i < betas.size(); ++i) {
      require(betas[i] > 0 && betas[i] < 1, "beta " + std::to_string(i), betas[i], "numbers between 0 and 1");
      log_alpha_.push_back(sum += 0.5 * std::log1p(-betas[i]));
    }
  }

  /// Square roots evenly spaced, as Stable Diffusion was trained with (0.00085 to 0.012, 1000).
  static NoiseTable scaled_linear(double first, double last, std::size_t count) {
    std::vector<double> betas;
    const double a = std::sqrt(first), b = std::sqrt(last);
    for (std::size_t i = 0; i < count; ++i) {
      const double root = a + (b - a) * static_cast<double>(i) / static_cast<double>(count - 1);
      betas.push_back(root * root);
    }
    return NoiseTable(betas);
  }

  /// sigma/alpha at time t in (0, 1].
  double sigma(double t) const {
    const double place = t * count() - 1;
    const std::size_t i = piece(place);
    const double l = log_alpha_[i] + (place - static_cast<double>(i)) * (log_alpha_[i + 1] - log_alpha_[i]);
    return std::sqrt(std::expm1(-2 * l));
  }

  /// The inverse of sigma().
  double time(double sigma) const {
    const double l = -0.5 * std::log1p(sigma * sigma);
    const auto after = std::lower_bound(log_alpha_.begin(), log_alpha_.end(), l, std::greater<>());
    const std::size_t i = piece(static_cast<double>(after - log_alpha_.begin()) - 1);
    return (static_cast<double>(i) + (l - log_alpha_[i]) / (log_alpha_[i + 1] - log_alpha_[i]) + 1) / count();
  }

 private:
  double count() const { return static_cast<double>(log_alpha_.size()); }
  std::size_t piece(double place) const {
    return static_cast<std::size_t>(std::clamp(std::floor(place), 0., count() - 2));
  }

  std::vector<double> log_alpha_;  // decreasing
};

struct DiscreteOptions {
  int steps;
  double rho = 1, sigma_min = 0.002, sigma_max = 80;
  End end = End::sigma_min;
};

/// Uniform in t^(1/rho), t being the training time of a table.
inline Schedule discrete(const NoiseTable& table, const DiscreteOptions& o) {
  require(std::isfinite(o.rho) && o.rho > 0, "rho", o.rho, "positive numbers");
  const double first = std::pow(table.time(o.sigma_max), 1 / o.rho), last = std::pow(table.time(o.sigma_min), 1 / o.rho);
  return detail::spaced(o, [&](double u) { return table.sigma(std::pow(first + u * (last - first), o.rho)); });
}

}  // namespace fewstep
