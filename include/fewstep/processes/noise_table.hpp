// The discrete noise process of a network trained on a table of betas.
#pragma once

#include "../errors.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <numbers>
#include <string>
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

  /// Evenly spaced, as in DDPM (0.0001 to 0.02, 1000; Ho et al. 2020, arXiv 2006.11239).
  static NoiseTable linear(double first, double last, std::size_t count) {
    std::vector<double> betas;
    for (std::size_t i = 0; i < count; ++i)
      betas.push_back(first + (last - first) * static_cast<double>(i) / static_cast<double>(count - 1));
    return NoiseTable(betas);
  }

  /// The table whose last level has no signal left (Lin et al. 2023, arXiv 2305.08891, algorithm 1): sqrt(alpha^2)
  /// shifted and scaled so that it ends at 0 and begins where it did. The last level would be infinite: it is given
  /// alpha^2 = 2^-24, sigma 4096, instead.
  NoiseTable with_zero_terminal_snr() const {
    const double first = std::exp(log_alpha_.front()), last = std::exp(log_alpha_.back());
    NoiseTable made = *this;
    for (double& l : made.log_alpha_) l = std::log((std::exp(l) - last) * first / (first - last));
    made.log_alpha_.back() = -12 * std::numbers::ln2;
    return made;
  }

  /// alpha^2 = cos^2((pi/2)(t + s)/(1 + s)) but for a factor, betas no larger than max_beta (Nichol & Dhariwal 2021,
  /// arXiv 2102.09672, equation 17).
  static NoiseTable cosine(std::size_t count, double s = 0.008, double max_beta = 0.999) {
    require(s >= 0 && std::isfinite(s), "s", s, "numbers of 0 or more");
    std::vector<double> betas;
    const auto angle = [&](std::size_t i) {
      return std::numbers::pi / 2 * (static_cast<double>(i) / static_cast<double>(count) + s) / (1 + s);
    };
    for (std::size_t i = 0; i < count; ++i) {
      const double a = angle(i), b = angle(i + 1);  // 1 - cos^2 b/cos^2 a, without its cancellation
      betas.push_back((std::min)(std::sin(b - a) * std::sin(b + a) / (std::cos(a) * std::cos(a)), max_beta));
    }
    return NoiseTable(betas);
  }

  std::size_t size() const { return log_alpha_.size(); }
  /// The levels at the first and last training step: where a schedule for the network should end and begin.
  double sigma_min() const { return sigma(1 / count()); }
  double sigma_max() const { return sigma(1); }

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

}  // namespace fewstep
