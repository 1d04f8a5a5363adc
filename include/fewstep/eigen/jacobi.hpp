// Eigenvalues of small symmetric matrices, without the compile time of a linear algebra library.
#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

namespace fewstep::detail {

/// Eigenvalues and eigenvectors of a symmetric matrix.
struct SymmetricEigen {
  std::vector<double> values;   ///< d numbers, unsorted
  std::vector<double> vectors;  ///< d x d, row-major; row k is the unit eigenvector of values[k]
};

/// Returns the eigenvalues and eigenvectors of a symmetric matrix, by Jacobi's cyclic rotations. Errors are of the
/// order of rounding relative to the matrix's largest entry. Takes O(d^3) per sweep and 6 to 10 sweeps: about a second
/// for d = 200.
/// @param matrix  d x d, symmetric; only its upper triangle (row <= column) is read
inline SymmetricEigen symmetric_eigen(std::vector<double> matrix, std::size_t d) {
  constexpr int max_sweeps = 60;
  const auto at = [&](std::size_t i, std::size_t j) -> double& {
    return i < j ? matrix[i * d + j] : matrix[j * d + i];
  };
  SymmetricEigen made{std::vector<double>(d), std::vector<double>(d * d)};
  for (std::size_t k = 0; k < d; ++k) made.vectors[k * d + k] = 1;

  for (int sweep = 0; sweep < max_sweeps; ++sweep) {
    bool rotated = false;
    for (std::size_t p = 0; p < d; ++p)
      for (std::size_t q = p + 1; q < d; ++q) {
        const double off = at(p, q);
        if (std::abs(at(p, p)) + std::abs(off) == std::abs(at(p, p)) &&
            std::abs(at(q, q)) + std::abs(off) == std::abs(at(q, q)))
          continue;  // too small to change the eigenvalues
        rotated = true;
        const double theta = (at(q, q) - at(p, p)) / (2 * off);
        const double t = (theta < 0 ? -1 : 1) / (std::abs(theta) + std::sqrt(theta * theta + 1));
        const double c = 1 / std::sqrt(t * t + 1), s = t * c;
        at(p, p) -= t * off;
        at(q, q) += t * off;
        at(p, q) = 0;
        for (std::size_t i = 0; i < d; ++i) {
          double &vp = made.vectors[p * d + i], &vq = made.vectors[q * d + i];
          const double old = vp;
          vp = c * old - s * vq;
          vq = s * old + c * vq;
          if (i == p || i == q) continue;
          const double ip = at(i, p);
          at(i, p) = c * ip - s * at(i, q);
          at(i, q) = s * ip + c * at(i, q);
        }
      }
    if (!rotated) break;
  }
  for (std::size_t k = 0; k < d; ++k) made.values[k] = at(k, k);
  return made;
}

}  // namespace fewstep::detail
