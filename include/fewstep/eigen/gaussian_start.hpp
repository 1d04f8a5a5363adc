// The denoiser of a Gaussian start on Eigen arrays.
#pragma once

#include "../denoisers/gaussian_start.hpp"
#include "../errors.hpp"

#include <Eigen/Core>

#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

namespace fewstep {

/// The exact denoiser of a GaussianStart, which has the formula, for a batch with one class per sample. Computes in
/// double. Immutable: threads may share it.
///
///   sample(table, with_analytic_first_step(denoise, GaussianStartDenoiser(start, {3, 3, 7})), schedule, noise,
///          {.analytic_first_step = true});
class GaussianStartDenoiser {
 public:
  /// @param classes         one per sample, 0 to start.classes() - 1 or GaussianStart::unconditional; a single entry
  ///                        holds for all samples
  /// @param guidance_scale  classifier-free guidance; 1: none. Unconditional samples ignore it.
  /// @throws std::invalid_argument as GaussianStart::validate, or for a class that the start lacks.
  explicit GaussianStartDenoiser(const GaussianStart& start, std::vector<int> classes = {GaussianStart::unconditional},
                                 double guidance_scale = 1)
      : classes_(std::move(classes)), guidance_scale_(guidance_scale), variance_(start.variance) {
    start.validate();
    require(!classes_.empty(), "the number of classes", 0, "1, or one per sample");
    const auto last = static_cast<int>(start.classes()) - 1;
    for (const int one : classes_)
      require(one >= GaussianStart::unconditional && one <= last, "class", one, {"-1 (unconditional) to ", last});
    require(std::isfinite(guidance_scale), "guidance_scale", guidance_scale, "finite numbers");
    const auto d = static_cast<Eigen::Index>(start.dimension()), rank = static_cast<Eigen::Index>(start.rank());
    for (std::size_t k = 0; k < start.means.size(); ++k)
      entries_.push_back({Eigen::Map<const Eigen::VectorXf>(start.means[k].data(), d).cast<double>(),
                          Eigen::Map<const Eigen::MatrixXf>(start.directions[k].data(), d, rank).cast<double>(),
                          Eigen::Map<const Eigen::VectorXd>(start.variances[k].data(), rank)});
  }

  /// out <- D(x, sigma)
  /// @param x      an Eigen array with `dimension()` rows, one column per sample
  /// @param sigma  Level<X>, or any type whose sigma[b] is the noise level of sample b
  /// @param out    an array of x's shape
  /// @throws std::invalid_argument for another number of rows or samples.
  template <class X, class Sigma>
  void operator()(const X& x, const Sigma& sigma, X& out) const {
    require(x.rows() == entries_[0].mean.size(), "the number of rows of x", x.rows(), entries_[0].mean.size());
    const auto samples = static_cast<std::size_t>(x.cols());
    require(classes_.size() == 1 || classes_.size() == samples, "the number of samples", samples,
            {classes_.size(), ", one per class given"});
    for (Eigen::Index b = 0; b < x.cols(); ++b) {
      const int one = classes_.size() == 1 ? classes_[0] : classes_[static_cast<std::size_t>(b)];
      const Eigen::VectorXd column = x.col(b).template cast<double>().matrix();
      Eigen::VectorXd denoised = denoise(entries_.back(), column, sigma[b]);
      if (one != GaussianStart::unconditional)
        denoised += guidance_scale_ * (denoise(entries_[static_cast<std::size_t>(one)], column, sigma[b]) - denoised);
      out.col(b) = denoised.array().template cast<typename X::Scalar>();
    }
  }

 private:
  struct Entry {
    Eigen::VectorXd mean;
    Eigen::MatrixXd directions;  // one per column
    Eigen::VectorXd variances;
  };

  Eigen::VectorXd denoise(const Entry& entry, const Eigen::VectorXd& x, double sigma) const {
    const double noise = sigma * sigma, share = variance_ / (variance_ + noise);
    const Eigen::VectorXd offset = x - entry.mean;
    Eigen::VectorXd denoised = entry.mean + share * offset;
    if (entry.variances.size() > 0) {
      const auto extra = entry.variances.array() / (entry.variances.array() + noise) - share;
      denoised += entry.directions * (extra * (entry.directions.transpose() * offset).array()).matrix();
    }
    return denoised;
  }

  std::vector<int> classes_;
  double guidance_scale_, variance_;
  std::vector<Entry> entries_;
};

}  // namespace fewstep
