// Small dense least squares: at most some hundred unknowns, solved by their normal equations.
#pragma once

#include <cmath>
#include <cstddef>
#include <numeric>
#include <utility>
#include <vector>

namespace fewstep::detail {

/// A symmetric matrix of doubles, zero at first. One number is stored for elements (i, j) and (j, i).
class SymmetricMatrix {
 public:
  explicit SymmetricMatrix(std::size_t size) : size_(size), values_(size * (size + 1) / 2) {}

  std::size_t size() const { return size_; }
  double& operator()(std::size_t i, std::size_t j) { return values_[index(i, j)]; }
  double operator()(std::size_t i, std::size_t j) const { return values_[index(i, j)]; }

 private:
  /// Rows of the lower triangle, one after another.
  static std::size_t index(std::size_t i, std::size_t j) { return i < j ? j * (j + 1) / 2 + i : i * (i + 1) / 2 + j; }
  std::size_t size_;
  std::vector<double> values_;
};

inline bool all_finite(const std::vector<double>& values) {
  for (const double v : values)
    if (!std::isfinite(v)) return false;
  return true;
}

/// Replaces a positive semidefinite A by the factors of P A P^T = L D L^T: D on the diagonal, the unit lower triangular
/// L below it.
/// @return for each row of L the row of A that it came from: at each step the one with the largest pivot
inline std::vector<std::size_t> factor_ldlt(SymmetricMatrix& a) {
  const std::size_t n = a.size();
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), 0);
  std::vector<double> column(n);
  for (std::size_t k = 0; k < n; ++k) {
    std::size_t pivot = k;
    for (std::size_t i = k + 1; i < n; ++i)
      if (a(i, i) > a(pivot, pivot)) pivot = i;
    std::swap(order[k], order[pivot]);
    for (std::size_t j = 0; j < n; ++j)
      if (j != k && j != pivot) std::swap(a(k, j), a(pivot, j));
    std::swap(a(k, k), a(pivot, pivot));
    const double d = a(k, k);
    for (std::size_t i = k + 1; i < n; ++i) column[i] = std::exchange(a(i, k), d == 0 ? 0 : a(i, k) / d);
    for (std::size_t i = k + 1; i < n; ++i)
      for (std::size_t j = k + 1; j <= i; ++j) a(i, j) -= a(i, k) * column[j];
  }
  return order;
}

/// Solves A x = b for a positive semidefinite A, by LDL^T with diagonal pivoting.
/// @return x, with 0 for unknowns whose pivot is 0; non-finite numbers in A or b make x non-finite
inline std::vector<double> solve_symmetric(SymmetricMatrix a, const std::vector<double>& b) {
  const std::size_t n = a.size();
  const std::vector<std::size_t> order = factor_ldlt(a);
  std::vector<double> y(n), x(n);
  for (std::size_t i = 0; i < n; ++i) {
    y[i] = b[order[i]];
    for (std::size_t j = 0; j < i; ++j) y[i] -= a(i, j) * y[j];
  }
  for (std::size_t i = 0; i < n; ++i) y[i] = a(i, i) == 0 ? 0 : y[i] / a(i, i);
  for (std::size_t i = n; i-- > 0;) {
    for (std::size_t j = i + 1; j < n; ++j) y[i] -= a(j, i) * y[j];
    x[order[i]] = y[i];
  }
  return x;
}

/// A x = b of the least-squares problem |sum_i x_i column_i - target|^2: A_ij = column_i . column_j,
/// b_i = column_i . target.
struct NormalEquations {
  SymmetricMatrix matrix;
  std::vector<double> right;

  explicit NormalEquations(std::size_t unknowns) : matrix(unknowns), right(unknowns) {}

  /// The squared error at x, of which unknowns beyond x's size are 0, less the squared target.
  double error(const std::vector<double>& x) const {
    double sum = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      double row = -2 * right[i];
      for (std::size_t j = 0; j < x.size(); ++j) row += matrix(i, j) * x[j];
      sum += x[i] * row;
    }
    return sum;
  }
};

}  // namespace fewstep::detail
