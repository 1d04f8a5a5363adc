// The noise levels that a run visits, and the usual ways to space them.
#pragma once

#include "errors.hpp"
#include "processes/noise_process.hpp"

#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

namespace fewstep {

/// Strictly monotone noise levels: decreasing to sample, increasing to invert. `steps()` intervals, `size()` levels, kept
/// exactly as given. A decreasing one may end at 0, which the run reaches by one denoising evaluation.
class Schedule {
 public:
  /// @throws std::invalid_argument naming the level that is not finite, not positive, or out of order.
  explicit Schedule(std::vector<double> levels) : levels_(std::move(levels)) {
    require(size() >= 2, "the number of noise levels", size(), "2 or more");
    const bool decreasing = levels_[1] < levels_[0];
    for (std::size_t i = 0; i < size(); ++i) {
      const std::string name = "noise level " + std::to_string(i);
      const bool zero_end = levels_[i] == 0 && i + 1 == size() && decreasing;
      require(std::isfinite(levels_[i]) && (levels_[i] > 0 || zero_end), name, levels_[i],
              "positive and finite numbers, 0 only as the end of a decreasing schedule");
      if (i > 0)
        require(decreasing ? levels_[i] < levels_[i - 1] : levels_[i] > levels_[i - 1], name, levels_[i],
                std::string(decreasing ? "less" : "greater") + " than the level before it");
    }
  }

  std::size_t steps() const { return levels_.size() - 1; }
  std::size_t size() const { return levels_.size(); }
  double operator[](std::size_t i) const { return levels_[i]; }
  bool decreasing() const { return levels_[1] < levels_[0]; }
  const std::vector<double>& levels() const { return levels_; }
  auto begin() const { return levels_.begin(); }
  auto end() const { return levels_.end(); }

 private:
  std::vector<double> levels_;
};

/// Where a schedule ends: at sigma_min (the papers), or one denoising step further at 0.
enum class End { sigma_min, zero };

struct KarrasOptions {
  int steps;
  double rho = 7, sigma_min = 0.002, sigma_max = 80;
  End end = End::sigma_min;
};

struct LogUniformOptions {
  int steps;
  double sigma_min = 0.002, sigma_max = 80;
  End end = End::sigma_min;
};

struct TimeUniformOptions {
  int steps;
  double rho = 1, sigma_min = 0.002, sigma_max = 80, epsilon = 1e-3;
  End end = End::sigma_min;
};

namespace detail {

/// Levels at(u), u = 0 .. 1 in equal parts, both ends exact whatever `at` rounds to.
template <class Options, class At>
Schedule spaced(const Options& o, At at) {
  require(o.steps >= 1, "steps", o.steps, "1 or more");
  require(std::isfinite(o.sigma_max) && o.sigma_max > 0, "sigma_max", o.sigma_max, "positive numbers");
  require(o.sigma_min > 0 && o.sigma_min < o.sigma_max, "sigma_min", o.sigma_min, "positive numbers below sigma_max");
  const int intervals = o.end == End::zero ? o.steps - 1 : o.steps;
  std::vector<double> levels{o.sigma_max};
  for (int i = 1; i < intervals; ++i) levels.push_back(at(static_cast<double>(i) / intervals));
  if (intervals > 0) levels.push_back(o.sigma_min);
  if (o.end == End::zero) levels.push_back(0);
  return Schedule(std::move(levels));
}

}  // namespace detail

/// Uniform in sigma^(1/rho) (Karras et al. 2022, arXiv 2206.00364, equation 5).
inline Schedule karras(const KarrasOptions& o) {
  require(std::isfinite(o.rho) && o.rho != 0, "rho", o.rho, "any number but 0");
  const double first = std::pow(o.sigma_max, 1 / o.rho), last = std::pow(o.sigma_min, 1 / o.rho);
  return detail::spaced(o, [&](double u) { return std::pow(first + u * (last - first), o.rho); });
}

/// Uniform in log sigma, half the negative log-SNR (Lu et al. 2022, arXiv 2206.00927).
inline Schedule log_uniform(const LogUniformOptions& o) {
  const double first = std::log(o.sigma_max), last = std::log(o.sigma_min);
  return detail::spaced(o, [&](double u) { return std::exp(first + u * (last - first)); });
}

struct PolyexponentialOptions {
  int steps;
  double rho = 1, sigma_min = 0.002, sigma_max = 80;
  End end = End::sigma_min;
};

/// log sigma falls as (1 - u)^rho (k-diffusion, get_sigmas_polyexponential); rho = 1: log_uniform.
inline Schedule polyexponential(const PolyexponentialOptions& o) {
  require(std::isfinite(o.rho) && o.rho > 0, "rho", o.rho, "positive numbers");
  return detail::spaced(o, [&](double u) { return o.sigma_min * std::pow(o.sigma_max / o.sigma_min, std::pow(1 - u, o.rho)); });
}

struct KlOptimalOptions {
  int steps;
  double sigma_min = 0.002, sigma_max = 80;
  End end = End::sigma_min;
};

/// Uniform in arctan sigma (Sabour et al. 2024, arXiv 2404.14507).
inline Schedule kl_optimal(const KlOptimalOptions& o) {
  const double first = std::atan(o.sigma_max), last = std::atan(o.sigma_min);
  return detail::spaced(o, [&](double u) { return std::tan(first + u * (last - first)); });
}

/// Uniform in t^(1/rho), t from 1 to epsilon being the time of the variance-preserving process with linear beta whose
/// sigma(1) = sigma_max and sigma(epsilon) = sigma_min (Song et al. 2021, arXiv 2011.13456).
inline Schedule time_uniform(const TimeUniformOptions& o) {
  require(std::isfinite(o.rho) && o.rho > 0, "rho", o.rho, "positive numbers");
  require(o.epsilon > 0 && o.epsilon < 1, "epsilon", o.epsilon, "numbers between 0 and 1");
  const VpLinear process = VpLinear::through(o.sigma_min, o.sigma_max, o.epsilon);
  const double last = std::pow(o.epsilon, 1 / o.rho);
  return detail::spaced(o, [&](double u) { return process.sigma(std::pow(1 + u * (last - 1), o.rho)); });
}

}  // namespace fewstep
