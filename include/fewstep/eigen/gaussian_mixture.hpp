#pragma once

#include "../denoisers/gaussian_mixture.hpp"
#include "algebra.hpp"

#include <Eigen/Dense>

#include <cmath>
#include <limits>
#include <vector>

namespace fewstep {

/// The exact denoiser of a Gaussian mixture: with v_k = s_k^2 + sigma^2 (the eigenvalues of the covariance instead of
/// s_k^2 where it is full),
///   D(x, sigma) = sum_k g_k (s_k^2 x + sigma^2 mu_k) / v_k,   g = softmax_k(log w_k - sum log v_k / 2 - |x - mu_k|^2 /
///   2 v_k)
/// Computes in double. No member changes after construction: may be shared between threads.
class MixtureDenoiser {
 public:
  /// @throws std::invalid_argument as GaussianMixture::validate, or for a covariance that is not positive semidefinite.
  explicit MixtureDenoiser(const GaussianMixture& mixture) {
    mixture.validate();
    const auto d = static_cast<Eigen::Index>(mixture.dimension());
    for (std::size_t k = 0; k < mixture.weights.size(); ++k) {
      Component c;
      c.log_weight = std::log(mixture.weights[k]);
      c.mean = Eigen::Map<const Eigen::VectorXd>(mixture.means[k].data(), d);
      if (mixture.covariances.empty()) {
        c.variances = Eigen::VectorXd::Constant(d, mixture.deviations[k] * mixture.deviations[k]);
      } else {
        const Eigen::Map<const Eigen::MatrixXd> covariance(mixture.covariances[k].data(), d, d);
        const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> eigen(covariance);
        require(eigen.eigenvalues().minCoeff() > -1e-12 * eigen.eigenvalues().maxCoeff(),
                "the smallest eigenvalue of GaussianMixture::covariances[" + std::to_string(k) + "]",
                eigen.eigenvalues().minCoeff(), "0 or more");
        c.variances = eigen.eigenvalues().cwiseMax(0);
        c.axes = eigen.eigenvectors();
      }
      components_.push_back(std::move(c));
    }
  }

  /// x: any array of `dimension` rows, a column per sample; sigma: anything with sigma[b].
  template <class X, class Sigma>
  void operator()(const X& x, const Sigma& sigma, X& out) const {
    Workspace w;
    for (Eigen::Index b = 0; b < x.cols(); ++b) denoise_column(x, sigma[b], b, out, w);
  }

 private:
  struct Component {
    double log_weight;
    Eigen::VectorXd mean, variances;
    Eigen::MatrixXd axes;  // empty: isotropic
  };

  struct Workspace {
    Eigen::VectorXd offset, rotated, sum;
  };

  template <class X>
  void denoise_column(const X& x, double sigma, Eigen::Index b, X& out, Workspace& w) const {
    using Scalar = typename X::Scalar;
    const double noise = sigma * sigma;
    auto& [offset, rotated, sum] = w;
    sum.setZero(x.rows());
    double top = -std::numeric_limits<double>::infinity(), total = 0;
    for (const Component& c : components_) {
      offset = x.col(b).template cast<double>().matrix() - c.mean;
      if (c.axes.size()) {
        rotated.noalias() = c.axes.transpose() * offset;
        offset.swap(rotated);
      }
      const auto v = c.variances.array() + noise;
      const double logit = c.log_weight - 0.5 * (v.log() + offset.array().square() / v).sum();
      offset.array() *= c.variances.array() / v;  // the posterior mean's offset from mu
      if (c.axes.size()) {
        rotated.noalias() = c.axes * offset;
        offset.swap(rotated);
      }
      if (logit > top) {  // a running softmax: rescale what was summed to the new largest logit
        const double shrink = std::exp(top - logit);
        sum *= shrink;
        total *= shrink;
        top = logit;
      }
      const double g = std::exp(logit - top);
      total += g;
      sum += g * (c.mean + offset);
    }
    out.col(b) = (sum / total).array().template cast<Scalar>();
  }

  std::vector<Component> components_;
};

}  // namespace fewstep
