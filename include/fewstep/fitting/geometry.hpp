// How flat a model's trajectories are: the property that few-step sampling rests on.
// Source: Zhou et al. 2023, arXiv 2312.00094, section 3.1; Chen et al. 2024, arXiv 2405.11326.
#pragma once

#include "../algebra.hpp"
#include "../errors.hpp"

#include <Eigen/Eigenvalues>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <vector>

namespace fewstep {

/// Shape of a batch of trajectories with states x_0, ..., x_n; means over the samples.
struct Geometry {
  /// Share of a trajectory's variance outside its first 1, 2 and 3 principal directions; 0 for a line, plane, space.
  std::array<double, 3> outside{};
  /// For each state: its distance from the line through both ends, relative to their distance.
  std::vector<double> deviation = {};
  /// For each state but the ends: the turning angle in radians divided by the mean length of the segments on both
  /// sides.
  std::vector<double> curvature = {};
};

namespace detail {

/// For each sample the products of the segments x_(i+1) - x_i, of which all of Geometry is computed: segments are never
/// small differences of large numbers.
template <State X>
std::vector<Eigen::MatrixXd> segment_products(const std::vector<X>& states) {
  std::vector<X> segments;
  for (std::size_t i = 0; i + 1 < states.size(); ++i) segments.push_back(difference(states[i + 1], states[i]));
  const auto size = static_cast<Eigen::Index>(segments.size());
  std::vector<Eigen::MatrixXd> products(algebra<X>::dot(states[0], states[0]).size(), Eigen::MatrixXd(size, size));
  for (std::size_t i = 0; i < segments.size(); ++i)
    for (std::size_t j = 0; j <= i; ++j) {
      const std::vector<double> each = algebra<X>::dot(segments[i], segments[j]);
      const auto row = static_cast<Eigen::Index>(i), column = static_cast<Eigen::Index>(j);
      for (std::size_t b = 0; b < each.size(); ++b) products[b](row, column) = products[b](column, row) = each[b];
    }
  return products;
}

/// Shares of variance outside the first principal directions, of one sample.
/// @param m  products of segments
inline std::array<double, 3> variance_outside(const Eigen::MatrixXd& m) {
  // State i is the sum of the first i segments: sums(i, j) = 1 for j < i. The centred sums are what varies.
  Eigen::MatrixXd sums = Eigen::MatrixXd::Zero(m.rows() + 1, m.rows());
  for (Eigen::Index i = 1; i <= m.rows(); ++i) sums.row(i).head(i).setOnes();
  const Eigen::MatrixXd centred = sums.rowwise() - sums.colwise().mean();
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(centred * m * centred.transpose(),
                                                              Eigen::EigenvaluesOnly);
  const Eigen::VectorXd variance = solver.eigenvalues().cwiseMax(0);  // increasing
  const double total = variance.sum();
  std::array<double, 3> outside{};
  for (std::size_t k = 0; k < outside.size(); ++k) {
    const Eigen::Index left = variance.size() - static_cast<Eigen::Index>(k) - 1;
    if (total > 0 && left > 0) outside[k] = variance.head(left).sum() / total;
  }
  return outside;
}

/// Distance of state i from the line through both ends, relative to their distance.
/// @param along  products of each segment with the difference of the ends
inline double relative_deviation(const Eigen::MatrixXd& m, const Eigen::VectorXd& along, Eigen::Index i) {
  const double length_square = along.sum(), projection = along.head(i).sum() / length_square;
  const double square = m.topLeftCorner(i, i).sum() / length_square;
  return std::sqrt((std::max)(0., square - projection * projection));
}

/// Turning angle between segments i and i + 1 divided by their mean length.
inline double curvature_between(const Eigen::MatrixXd& m, Eigen::Index i) {
  const double a = std::sqrt(m(i, i)), b = std::sqrt(m(i + 1, i + 1));
  if (!(a + b > 0)) return 0;
  // The angle from the tangent of its half, |u - v| / |u + v| for unit segments u and v: exact to about 1e-8 for small
  // angles, which their cosine rounds away.
  const double cosine = a > 0 && b > 0 ? m(i, i + 1) / (a * b) : 1;
  const double angle = 2 * std::atan2(std::sqrt((std::max)(0., 1 - cosine)), std::sqrt((std::max)(0., 1 + cosine)));
  return angle / ((a + b) / 2);
}

}  // namespace detail

/// Measures the shape of a batch of trajectories.
/// @param states  of a fine run, start and end included: record_teacher(...).states; 3 or more, some 40 are useful
/// @throws std::invalid_argument for fewer than 3 states.
template <State X>
Geometry geometry(const std::vector<X>& states) {
  const std::size_t n = states.size();
  require(n >= 3, "the number of states", n, "3 or more");
  const std::vector<Eigen::MatrixXd> products = detail::segment_products(states);
  const double share = 1. / static_cast<double>(products.size());
  Geometry g{.deviation = std::vector<double>(n), .curvature = std::vector<double>(n - 2)};
  for (const Eigen::MatrixXd& m : products) {
    const std::array<double, 3> outside = detail::variance_outside(m);
    for (std::size_t k = 0; k < outside.size(); ++k) g.outside[k] += share * outside[k];
    const Eigen::VectorXd along = m.rowwise().sum();
    for (std::size_t i = 1; i < n && along.sum() > 0; ++i)
      g.deviation[i] += share * detail::relative_deviation(m, along, static_cast<Eigen::Index>(i));
    for (std::size_t i = 0; i + 2 < n; ++i)
      g.curvature[i] += share * detail::curvature_between(m, static_cast<Eigen::Index>(i));
  }
  return g;
}

}  // namespace fewstep
