// A Gaussian fitted to the data of each class, as an analytic first step.
#pragma once

#include "../errors.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace fewstep {

namespace detail {
/// Returns extents as text: "1 x 28 x 28".
inline std::string shape_text(const std::vector<std::int64_t>& extents) {
  std::string text;
  for (const std::int64_t extent : extents) text += (text.empty() ? "" : " x ") + std::to_string(extent);
  return text.empty() ? "a scalar" : text;
}
}  // namespace detail

/// A Gaussian for the data of each class, and one for the data of all classes together.
///
/// At high noise levels a network predicts nearly what the exact denoiser of these Gaussians does. That denoiser is
/// therefore a more accurate analytic first step (with_analytic_first_step) than the one for N(0, 1), and it needs no
/// evaluation either.
///
///   D_k(x, sigma) = m_k + (s + V_k^T (S_k - s) V_k) (x - m_k),   s = variance/(variance + sigma^2),
///   S_k = diag(v/(v + sigma^2)) over the variances v of class k
///
/// m_k: mean of class k; V_k: its `rank` orthonormal directions, as rows, each with a variance v; `variance`: that
/// along all other directions. With classifier-free guidance of scale g the denoiser is D_u + g (D_k - D_u), where u is
/// the unconditional entry.
///
/// Plain data: GaussianStartDenoiser (eigen/gaussian_start.hpp) and TensorGaussianStart (torch/gaussian_start.hpp)
/// compute with it, io/gaussian_start_file.hpp stores it.
/// Source: Wang & Vastola 2024, arXiv 2403.02726.
struct GaussianStart {
  /// The class of samples that use the unconditional entry.
  static constexpr int unconditional = -1;

  /// Extents of one sample, e.g. {1, 28, 28} for channels, height and width. `dimension()` is their product.
  std::vector<std::int64_t> shape = {};
  /// `dimension()` values per entry: one entry per class, then the unconditional one.
  std::vector<std::vector<float>> means = {};
  /// Per entry of `means`: `rank()` directions of `dimension()` values each, concatenated.
  std::vector<std::vector<float>> directions = {};
  /// Per entry of `means`: the variances along its directions, `rank()` values.
  std::vector<std::vector<double>> variances = {};
  /// The variance along all other directions, 0 or more.
  double variance = 0;

  std::size_t classes() const { return means.empty() ? 0 : means.size() - 1; }
  std::size_t rank() const { return variances.empty() ? 0 : variances[0].size(); }
  std::size_t dimension() const {
    std::size_t product = 1;
    for (const std::int64_t extent : shape) product *= static_cast<std::size_t>(extent);
    return product;
  }

  /// @throws std::invalid_argument naming the member that does not fit.
  void validate() const {
    for (const std::int64_t extent : shape) require(extent > 0, "GaussianStart::shape", extent, "positive extents");
    const std::size_t n = means.size(), d = dimension();
    require(n > 0, "GaussianStart::means.size()", n, "1 or more");
    require(directions.size() == n, "GaussianStart::directions.size()", directions.size(), "one per mean");
    require(variances.size() == n, "GaussianStart::variances.size()", variances.size(), "one per mean");
    for (std::size_t k = 0; k < n; ++k) {
      check("means", k, means[k], d, "finite numbers");
      check("directions", k, directions[k], rank() * d, "finite numbers");
      check("variances", k, variances[k], rank(), not_negative);
      for (const double v : variances[k]) require(v >= 0, member("variances", k), v, not_negative);
    }
    require(variance >= 0 && std::isfinite(variance), "GaussianStart::variance", variance, not_negative);
  }

  /// Rejects a start for a model with another shape of samples or another number of classes.
  /// @throws std::invalid_argument naming the shape or the number of classes.
  void require_fits(const std::vector<std::int64_t>& sample_shape, std::size_t model_classes) const {
    require(shape == sample_shape, "the shape of the Gaussian start's samples", detail::shape_text(shape),
            detail::shape_text(sample_shape) + " for this model");
    require(classes() == model_classes, "the number of the Gaussian start's classes", classes(),
            std::to_string(model_classes) + " for this model");
  }

 private:
  static constexpr const char* not_negative = "finite numbers of 0 or more";

  static std::string member(const char* name, std::size_t k) {
    return std::string("GaussianStart::") + name + "[" + std::to_string(k) + "]";
  }
  template <class T>
  static void check(const char* name, std::size_t k, const std::vector<T>& values, std::size_t size,
                    const char* allowed) {
    require(values.size() == size, member(name, k) + ".size()", values.size(), std::to_string(size));
    for (const T value : values) require(std::isfinite(value), member(name, k), value, allowed);
  }
};

}  // namespace fewstep
