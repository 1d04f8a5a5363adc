// The noise levels of a network that was trained at discrete steps, from its table of betas.
#pragma once

#include "../errors.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <numbers>
#include <vector>

namespace fewstep {

/// Noise levels sigma(t) of a table of M betas, continuous in the training time t.
///
///   log alpha(t_i) = sum_{j <= i} log(1 - beta_j)/2 at t_i = (i + 1)/M,   sigma = sqrt(1 - alpha^2)/alpha
///
/// log alpha is linear between neighbouring t_i; its first and last piece continue beyond the table.
/// Source: Lu et al. 2022, arXiv 2206.00927, appendix D, and the noise-schedule wrapper of its code.
class NoiseTable {
 public:
  /// @param betas  variance added at each training step: 2 or more numbers between 0 and 1, exclusive
  /// @throws std::invalid_argument for betas out of that range.
  explicit NoiseTable(const std::vector<double>& betas) {
    require(betas.size() >= 2, "the number of betas", betas.size(), "2 or more");
    double sum = 0;
    for (std::size_t i = 0; i < betas.size(); ++i) {
      require(betas[i] > 0 && betas[i] < 1, {"beta ", i}, betas[i], "numbers between 0 and 1");
      const double next = sum + 0.5 * std::log1p(-betas[i]);
      require(next < sum, {"beta ", i}, betas[i], "numbers that change the product of 1 - beta");
      log_alpha_.push_back(sum = next);
    }
  }

  /// Betas with evenly spaced square roots. Stable Diffusion: first 0.00085, last 0.012, count 1000.
  /// @param first, last  betas, between 0 and 1
  /// @param count        number of training steps, 2 or more
  /// @throws std::invalid_argument for betas or a count out of range.
  static NoiseTable scaled_linear(double first, double last, std::size_t count) {
    std::vector<double> betas;
    const double a = std::sqrt(first), b = std::sqrt(last);
    for (std::size_t i = 0; i < count; ++i) {
      const double root = a + (b - a) * static_cast<double>(i) / static_cast<double>(count - 1);
      betas.push_back(root * root);
    }
    return NoiseTable(betas);
  }

  /// Evenly spaced betas; parameters and errors as scaled_linear(). DDPM (Ho et al. 2020, arXiv 2006.11239): first
  /// 0.0001, last 0.02, count 1000.
  static NoiseTable linear(double first, double last, std::size_t count) {
    std::vector<double> betas;
    for (std::size_t i = 0; i < count; ++i)
      betas.push_back(first + (last - first) * static_cast<double>(i) / static_cast<double>(count - 1));
    return NoiseTable(betas);
  }

  /// Betas of the cosine schedule: alpha^2 is proportional to cos^2((pi/2)(t + s)/(1 + s)).
  /// @param count     number of training steps, 2 or more
  /// @param s         offset, 0 or more
  /// @param max_beta  upper limit of each beta, below 1
  /// @throws std::invalid_argument for an argument out of range.
  /// Source: Nichol & Dhariwal 2021, arXiv 2102.09672, equation 17.
  static NoiseTable cosine(std::size_t count, double s = 0.008, double max_beta = 0.999) {
    require(s >= 0 && std::isfinite(s), "s", s, "0 or more");
    std::vector<double> betas;
    const auto angle = [&](std::size_t i) {
      return std::numbers::pi / 2 * (static_cast<double>(i) / static_cast<double>(count) + s) / (1 + s);
    };
    for (std::size_t i = 0; i < count; ++i) {
      const double a = angle(i), b = angle(i + 1);  // 1 - cos^2 b/cos^2 a, in a form that does not cancel
      betas.push_back((std::min)(std::sin(b - a) * std::sin(b + a) / (std::cos(a) * std::cos(a)), max_beta));
    }
    return NoiseTable(betas);
  }

  /// Returns the table rescaled so that almost no signal is left at the last step: alpha is shifted and scaled to keep
  /// its first value and to end at 0. Since sigma would be infinite there, the last alpha^2 is 2^-24, where sigma is
  /// 4096.
  /// Source: Lin et al. 2023, arXiv 2305.08891, algorithm 1.
  NoiseTable with_zero_terminal_snr() const {
    constexpr double last_log_alpha = -12 * std::numbers::ln2;  // alpha^2 = 2^-24
    const double first = std::exp(log_alpha_.front()), last = std::exp(log_alpha_.back());
    require(last < first, "alpha at the last training step", last, {"less than at the first, ", first});
    NoiseTable rescaled = *this;
    for (double& l : rescaled.log_alpha_) l = std::log((std::exp(l) - last) * first / (first - last));
    rescaled.log_alpha_.back() = last_log_alpha;
    return rescaled;
  }

  std::size_t size() const { return log_alpha_.size(); }
  /// Levels at the first and the last training step: the range of a schedule for this network.
  double sigma_min() const { return sigma(1 / count()); }
  double sigma_max() const { return sigma(1); }

  /// The noise level at training time t in (0, 1]; other times continue the outermost pieces.
  /// @throws std::invalid_argument for a time that is not finite.
  double sigma(double t) const {
    require(std::isfinite(t), "the training time", t, "finite numbers");
    const double place = t * count() - 1;
    const std::size_t i = piece(place);
    const double l = log_alpha_[i] + (place - static_cast<double>(i)) * (log_alpha_[i + 1] - log_alpha_[i]);
    return std::sqrt(std::expm1(-2 * l));
  }

  /// The training time of a noise level: the inverse of sigma().
  double time(double sigma) const {
    const double l = -0.5 * std::log1p(sigma * sigma);
    const auto upper = std::lower_bound(log_alpha_.begin(), log_alpha_.end(), l, std::greater<>());
    const std::size_t i = piece(static_cast<double>(upper - log_alpha_.begin()) - 1);
    return (static_cast<double>(i) + (l - log_alpha_[i]) / (log_alpha_[i + 1] - log_alpha_[i]) + 1) / count();
  }

 private:
  double count() const { return static_cast<double>(log_alpha_.size()); }
  /// Index of the linear piece at a position in the table; positions beyond the table use the outermost pieces.
  std::size_t piece(double place) const {
    return static_cast<std::size_t>(std::clamp(std::floor(place), 0., count() - 2));
  }

  std::vector<double> log_alpha_;  // decreasing
};

}  // namespace fewstep
