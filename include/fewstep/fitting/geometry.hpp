// What the method rests on, measured: how flat a model's trajectories are.
#pragma once

#include "../algebra.hpp"
#include "../errors.hpp"

#include <Eigen/Dense>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <tuple>
#include <vector>

namespace fewstep {

/// Means over the samples of a batch.
struct Geometry {
  std::array<double, 3>
      outside{};  // the share of a trajectory's variance outside its first 1, 2 and 3 principal directions
  std::vector<double> deviation =
      {};  // of each state: how far from the line through both ends, as a share of its length
  std::vector<double> curvature =
      {};  // of each state but the ends: the angle that the trajectory turns by, in radians, over its length
};

/// @param states  where a fine run over one batch went, ends included (course(teacher, ...).states of gits.hpp)
/// @throws std::invalid_argument for less than 3 states.
/// Source: Zhou et al. 2023, arXiv 2312.00094, section 3.1; Chen et al. 2024, arXiv 2405.11326.
template <State X>
Geometry geometry(const std::vector<X>& states) {
  const std::size_t n = states.size();
  require(n >= 3, "the number of states", n, "3 or more");
  const auto dot = [](const X& a, const X& b) { return algebra<X>::dot(a, b); };
  const auto minus = [](const X& a, const X& b) { return detail::difference(a, b); };

  // Everything from products of the segments from state to state, which are never small differences of large numbers.
  std::vector<X> segment;
  for (std::size_t i = 0; i + 1 < n; ++i) segment.push_back(minus(states[i + 1], states[i]));
  const std::size_t samples = dot(states[0], states[0]).size();
  const auto size = static_cast<Eigen::Index>(n - 1);
  std::vector<Eigen::MatrixXd> gram(samples, Eigen::MatrixXd(size, size));
  for (std::size_t i = 0; i + 1 < n; ++i)
    for (std::size_t j = 0; j <= i; ++j) {
      const std::vector<double> each = dot(segment[i], segment[j]);
      const auto a = static_cast<Eigen::Index>(i), b = static_cast<Eigen::Index>(j);
      for (std::size_t k = 0; k < samples; ++k) gram[k](a, b) = gram[k](b, a) = each[k];
    }
  // State i is the sum of the first i segments: sums(i, j) = 1, j < i. Less its mean over i: what varies.
  Eigen::MatrixXd sums = Eigen::MatrixXd::Zero(size + 1, size);
  for (Eigen::Index i = 0; i <= size; ++i) sums.row(i).head(i).setOnes();
  const Eigen::MatrixXd centred = sums.rowwise() - sums.colwise().mean();

  Geometry g{.deviation = std::vector<double>(n), .curvature = std::vector<double>(n - 2)};
  for (const Eigen::MatrixXd& m : gram) {
    const double share = 1. / static_cast<double>(samples);
    Eigen::VectorXd variance =
        Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(centred * m * centred.transpose(), Eigen::EigenvaluesOnly)
            .eigenvalues()
            .cwiseMax(0);
    const double whole = variance.sum();
    for (std::size_t k = 0; k < g.outside.size(); ++k) {
      const Eigen::Index left = variance.size() - static_cast<Eigen::Index>(k) - 1;  // eigenvalues grow
      if (whole > 0 && left > 0) g.outside[k] += share * variance.head(left).sum() / whole;
    }
    const Eigen::VectorXd chord =
        m * Eigen::VectorXd::Ones(size);  // products of the segments with the line through both ends
    const double length2 = chord.sum();
    for (Eigen::Index i = 0; i <= size && length2 > 0; ++i) {
      const double along = chord.head(i).sum(), square = m.topLeftCorner(i, i).sum();
      g.deviation[static_cast<std::size_t>(i)] +=
          share * std::sqrt((std::max)(0., square / length2 - along * along / (length2 * length2)));
    }
    for (Eigen::Index i = 0; i + 1 < size; ++i) {
      const double a = std::sqrt(m(i, i)), b = std::sqrt(m(i + 1, i + 1));
      // The angle by its half's tangent, |u - v| / |u + v| of the unit segments: exact to about 1e-8, which the cosine
      // loses.
      const double cosine = a > 0 && b > 0 ? m(i, i + 1) / (a * b) : 1;
      const double angle = 2 * std::atan2(std::sqrt((std::max)(0., 1 - cosine)), std::sqrt((std::max)(0., 1 + cosine)));
      if (a + b > 0) g.curvature[static_cast<std::size_t>(i)] += share * angle / ((a + b) / 2);
    }
  }
  return g;
}

}  // namespace fewstep
