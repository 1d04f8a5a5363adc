#pragma once

#include "../denoisers/gaussian_mixture.hpp"
#include "algebra.hpp"
#include "jacobi.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

namespace fewstep {

/// The exact denoiser of a Gaussian mixture.
///
///   D(x, sigma) = sum_k g_k (s_k^2 x + sigma^2 mu_k)/v_k,   v_k = s_k^2 + sigma^2,
///   g = softmax_k(log w_k - sum log v_k/2 - |x - mu_k|^2/(2 v_k))
///
/// w_k, mu_k, s_k: weight, mean and deviation of component k. With full covariances the formula holds along their
/// principal axes, s_k^2 being the eigenvalues; construction then takes O(d^3) per component of d numbers, about a
/// second for d = 200. Computes in double. Immutable: threads may share it.
class MixtureDenoiser {
 public:
  /// @throws std::invalid_argument as GaussianMixture::validate(), and for a covariance that is not positive
  /// semidefinite.
  explicit MixtureDenoiser(const GaussianMixture& mixture)
      : log_weights_(mixture.weights.size()),
        means_(mixture.means),
        variances_(mixture.weights.size()),
        axes_(mixture.weights.size()) {
    mixture.validate();
    for (std::size_t k = 0; k < log_weights_.size(); ++k) {
      log_weights_[k] = std::log(mixture.weights[k]);
      if (mixture.covariances.empty())
        variances_[k] = std::vector<double>(1, mixture.deviations[k] * mixture.deviations[k]);
      else find_axes(mixture.covariances[k], k);
    }
  }

  /// out <- D(x, sigma)
  /// @param x  an Eigen array [dimension, batch], a column per sample
  /// @param sigma  Level<X>, or any type whose sigma[b] is the noise level of sample b
  /// @param out    an array of x's shape
  template <class X, class Sigma>
  void operator()(const X& x, const Sigma& sigma, X& out) const {
    Workspace w(means_[0].size());
    for (Eigen::Index b = 0; b < x.cols(); ++b) {
      for (Eigen::Index i = 0; i < x.rows(); ++i) w.x[static_cast<std::size_t>(i)] = static_cast<double>(x(i, b));
      denoise(sigma[b], w);
      for (Eigen::Index i = 0; i < x.rows(); ++i)
        out(i, b) = static_cast<typename X::Scalar>(w.sum[static_cast<std::size_t>(i)]);
    }
  }

 private:
  struct Workspace {
    std::vector<double> x, offset, along, sum;  // along: the offset from the mean along the axes
    explicit Workspace(std::size_t d) : x(d), offset(d), along(d), sum(d) {}
  };

  void find_axes(const std::vector<double>& covariance, std::size_t k) {
    constexpr double rounding = 1e-12;  // eigenvalues this far below 0, relative to the largest, are taken for 0
    detail::SymmetricEigen eigen = detail::symmetric_eigen(covariance, means_[k].size());
    double least = eigen.values[0], most = eigen.values[0];
    for (double& v : eigen.values) {
      least = (std::min)(least, v);
      most = (std::max)(most, v);
      v = (std::max)(v, 0.);
    }
    require(least > -rounding * most, {"the smallest eigenvalue of GaussianMixture::covariances[", k, "]"}, least,
            "0 or more");
    variances_[k] = std::move(eigen.values);
    axes_[k] = std::move(eigen.vectors);
  }

  /// w.sum <- D(w.x, sigma), by a running softmax, which rescales the sum whenever the largest logit grows.
  void denoise(double sigma, Workspace& w) const {
    const std::size_t d = w.x.size();
    for (double& s : w.sum) s = 0;
    double top = -std::numeric_limits<double>::infinity(), total = 0;
    for (std::size_t k = 0; k < log_weights_.size(); ++k) {
      const double logit = log_weights_[k] - 0.5 * shrink_offset(k, sigma * sigma, w);
      if (logit > top) {
        const double shrink = std::exp(top - logit);
        for (double& s : w.sum) s *= shrink;
        total *= shrink;
        top = logit;
      }
      const double g = std::exp(logit - top);
      total += g;
      for (std::size_t i = 0; i < d; ++i) w.sum[i] += g * (means_[k][i] + w.offset[i]);
    }
    for (double& s : w.sum) s /= total;
  }

  /// w.offset <- the posterior mean's offset from the component's mean.
  /// @return sum (log v + (offset of x)^2 / v)
  double shrink_offset(std::size_t component, double noise, Workspace& w) const {
    const std::vector<double>&mean = means_[component], &variances = variances_[component], &axes = axes_[component];
    const std::size_t d = w.x.size();
    for (std::size_t i = 0; i < d; ++i) w.offset[i] = w.x[i] - mean[i];
    if (!axes.empty()) {
      for (double& a : w.along) a = 0;
      for (std::size_t k = 0; k < d; ++k)
        for (std::size_t i = 0; i < d; ++i) w.along[k] += axes[k * d + i] * w.offset[i];
      w.offset.swap(w.along);
    }
    double energy = 0;
    for (std::size_t k = 0; k < d; ++k) {
      const double variance = variances[variances.size() == 1 ? 0 : k], v = variance + noise;
      energy += std::log(v) + w.offset[k] * w.offset[k] / v;
      w.offset[k] *= variance / v;
    }
    if (!axes.empty()) {
      for (double& a : w.along) a = 0;
      for (std::size_t k = 0; k < d; ++k)
        for (std::size_t i = 0; i < d; ++i) w.along[i] += axes[k * d + i] * w.offset[k];
      w.offset.swap(w.along);
    }
    return energy;
  }

  std::vector<double> log_weights_;             // [component]
  std::vector<std::vector<double>> means_;      // [component][d]
  std::vector<std::vector<double>> variances_;  // [component]: one for all numbers, or one per axis
  std::vector<std::vector<double>> axes_;       // [component]: unit vectors, one after another; empty: the coordinates'
};

}  // namespace fewstep
