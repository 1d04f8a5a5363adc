// Sums over the samples of a batch, for least squares.
#pragma once

#include "../../algebra.hpp"
#include "../detail/least_squares.hpp"

#include <cstddef>
#include <vector>

namespace fewstep::detail {

/// The number of samples in a batch.
template <State X>
std::size_t sample_count(const X& batch) {
  return algebra<X>::dot(batch, batch).size();
}

/// How many numbers a sample has; 1 for a state whose algebra does not tell, so that distances are those of samples.
template <State X>
double numbers_of_sample(const X& batch) {
  if constexpr (requires { algebra<X>::numbers(batch); }) return static_cast<double>(algebra<X>::numbers(batch));
  else return 1;
}

/// Sum over samples of weight (x . y). Samples with weight 0 are ignored, even where they are not finite.
template <State X>
double weighted_dot(const X& x, const X& y, const std::vector<double>& weights) {
  const std::vector<double> products = algebra<X>::dot(x, y);
  double sum = 0;
  for (std::size_t n = 0; n < products.size(); ++n)
    if (weights[n] > 0) sum += products[n] * weights[n];
  return sum;
}

/// Adds the sums of one batch to normal equations.
/// @param columns  one per unknown
/// @param weights  one per sample
template <State X>
void add_batch(NormalEquations& equations, const std::vector<const X*>& columns, const X& target,
               const std::vector<double>& weights) {
  for (std::size_t i = 0; i < equations.right.size(); ++i) {
    equations.right[i] += weighted_dot(*columns[i], target, weights);
    for (std::size_t j = 0; j <= i; ++j) equations.matrix(i, j) += weighted_dot(*columns[i], *columns[j], weights);
  }
}

}  // namespace fewstep::detail
