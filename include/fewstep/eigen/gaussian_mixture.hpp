#pragma once

#include "../denoisers/gaussian_mixture.hpp"
#include "algebra.hpp"
#include "jacobi.hpp"

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <limits>
#include <vector>

namespace fewstep {

/// The exact denoiser of a Gaussian mixture.
///
///   D(x, sigma) = sum_k g_k (s_k^2 x + sigma^2 mu_k)/v_k,   v_k = s_k^2 + sigma^2,
///   g = softmax_k(log w_k - sum log v_k/2 - |x - mu_k|^2/(2 v_k))
///
/// w_k, mu_k, s_k: weight, mean and deviation of component k. With covariances the formula holds along their principal
/// axes, s_k^2 being the eigenvalues. Computes in double. Immutable: threads may share it.
class MixtureDenoiser {
 public:
  /// @throws std::invalid_argument as GaussianMixture::validate().
  explicit MixtureDenoiser(const GaussianMixture& mixture) {
    mixture.validate();
    add_components(mixture.weights, mixture.means);
    for (std::size_t k = 0, i = 0; k < log_weights_.size(); ++k)
      for (; i < (k + 1) * dimension(); ++i) variances_[i] = mixture.deviations[k] * mixture.deviations[k];
  }

  /// Takes O(d^3) per component of d numbers, about a second for d = 200.
  /// @throws std::invalid_argument as CorrelatedMixture::validate(), and for a covariance that is not positive
  /// semidefinite.
  template <std::same_as<CorrelatedMixture> Mixture>  // a template, so that {...} means a GaussianMixture
  explicit MixtureDenoiser(const Mixture& mixture) {
    mixture.validate();
    add_components(mixture.weights, mixture.means);
    for (std::size_t k = 0; k < log_weights_.size(); ++k) add_axes(mixture.covariances[k], k);
  }

  /// out <- D(x, sigma)
  /// @param x  an Eigen array [dimension, batch], a column per sample
  /// @param sigma  Level<X>, or any type whose sigma[b] is the noise level of sample b
  /// @param out    an array of x's shape
  template <class X, class Sigma>
  void operator()(const X& x, const Sigma& sigma, X& out) const {
    Workspace w(dimension());
    for (Eigen::Index b = 0; b < x.cols(); ++b) {
      for (Eigen::Index i = 0; i < x.rows(); ++i) w.x[static_cast<std::size_t>(i)] = static_cast<double>(x(i, b));
      denoise(sigma[b], w);
      for (Eigen::Index i = 0; i < x.rows(); ++i)
        out(i, b) = static_cast<typename X::Scalar>(w.sum[static_cast<std::size_t>(i)]);
    }
  }

 private:
  struct Workspace {
    std::vector<double> x, offset, rotated, sum;
    explicit Workspace(std::size_t d) : x(d), offset(d), rotated(d), sum(d) {}
  };

  std::size_t dimension() const { return means_.size() / log_weights_.size(); }

  void add_components(const std::vector<double>& weights, const std::vector<std::vector<double>>& means) {
    for (std::size_t k = 0; k < weights.size(); ++k) {
      log_weights_.push_back(std::log(weights[k]));
      for (const double mean : means[k]) means_.push_back(mean);
    }
    variances_.resize(means_.size());
  }

  void add_axes(const std::vector<double>& covariance, std::size_t component) {
    constexpr double rounding = 1e-12;  // eigenvalues this far below 0, relative to the largest, are taken for 0
    const detail::SymmetricEigen eigen = detail::symmetric_eigen(covariance, dimension());
    const double least = *std::min_element(eigen.values.begin(), eigen.values.end()),
                 most = *std::max_element(eigen.values.begin(), eigen.values.end());
    require(least > -rounding * most, {"the smallest eigenvalue of CorrelatedMixture::covariances[", component, "]"},
            least, "0 or more");
    for (std::size_t i = 0; i < dimension(); ++i)
      variances_[component * dimension() + i] = (std::max)(eigen.values[i], 0.);
    axes_.insert(axes_.end(), eigen.vectors.begin(), eigen.vectors.end());
  }

  /// w.sum <- D(w.x, sigma), by a running softmax, which rescales the sum whenever the largest logit grows.
  void denoise(double sigma, Workspace& w) const {
    const std::size_t d = w.x.size();
    for (double& s : w.sum) s = 0;
    double top = -std::numeric_limits<double>::infinity(), total = 0;
    for (std::size_t k = 0; k < log_weights_.size(); ++k) {
      const double* mean = &means_[k * d];
      const double logit = log_weights_[k] - 0.5 * shrink_offset(k, sigma * sigma, w);
      if (logit > top) {
        const double shrink = std::exp(top - logit);
        for (double& s : w.sum) s *= shrink;
        total *= shrink;
        top = logit;
      }
      const double g = std::exp(logit - top);
      total += g;
      for (std::size_t i = 0; i < d; ++i) w.sum[i] += g * (mean[i] + w.offset[i]);
    }
    for (double& s : w.sum) s /= total;
  }

  /// w.offset <- the posterior mean's offset from the component's mean.
  /// @return sum (log v + (offset of x)^2 / v)
  double shrink_offset(std::size_t component, double noise, Workspace& w) const {
    const std::size_t d = w.x.size();
    const double *mean = &means_[component * d], *variances = &variances_[component * d];
    for (std::size_t i = 0; i < d; ++i) w.offset[i] = w.x[i] - mean[i];
    const double* axes = axes_.empty() ? nullptr : &axes_[component * d * d];
    if (axes) rotate(axes, d, 1, w);
    double energy = 0;
    for (std::size_t k = 0; k < d; ++k) {
      const double v = variances[k] + noise;
      energy += std::log(v) + w.offset[k] * w.offset[k] / v;
      w.offset[k] *= variances[k] / v;
    }
    if (axes) rotate(axes, 1, d, w);
    return energy;
  }

  /// w.offset <- A w.offset, where A(k, i) = axes[k row_stride + i column_stride]
  static void rotate(const double* axes, std::size_t row_stride, std::size_t column_stride, Workspace& w) {
    for (std::size_t k = 0; k < w.x.size(); ++k) {
      w.rotated[k] = 0;
      for (std::size_t i = 0; i < w.x.size(); ++i)
        w.rotated[k] += axes[k * row_stride + i * column_stride] * w.offset[i];
    }
    w.offset.swap(w.rotated);
  }

  std::vector<double> log_weights_;        // [component]
  std::vector<double> means_, variances_;  // [component][d]; variances along the axes
  std::vector<double> axes_;               // [component][d][d]: unit vectors; empty: the coordinates'
};

}  // namespace fewstep
