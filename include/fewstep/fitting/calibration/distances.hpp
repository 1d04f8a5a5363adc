// Statistics of the squared distances between the ends of a table's runs and the teacher's.
#pragma once

#include "../../order_statistic.hpp"

#include <cmath>
#include <cstddef>
#include <vector>

namespace fewstep::detail {

/// Stands for the squared distance of a sample whose end is not finite: larger than every distance, and finite, so that
/// sums of losses can be compared.
inline constexpr double lost_sample = 1e200;

/// Cauchy's loss grows only logarithmically beyond this many typical (median) distances.
inline constexpr double cauchy_width = 3;

/// The root mean square distance.
inline double rms_of(const std::vector<double>& squares) {
  double sum = 0;
  for (const double square : squares) sum += square;
  return std::sqrt(sum / static_cast<double>(squares.size()));
}

/// The middle value, the upper one of two.
inline double median_of(std::vector<double> values) {
  const auto size = static_cast<std::ptrdiff_t>(values.size());
  return order_statistic(values.data(), size, size / 2);
}

/// A squared distance in units of Cauchy's scale, (cauchy_width)^2 times the median square.
inline double cauchy_ratio(double square, double median) { return square / (cauchy_width * cauchy_width * median); }

/// Sum of log(1 + square / (9 median)) (Cauchy's loss): samples that end in another image than the teacher's, many
/// typical distances away, hardly count.
/// @param median  the median of squared distances that sets the scale
inline double cauchy_loss(const std::vector<double>& squares, double median) {
  double sum = 0;
  for (const double square : squares) sum += std::log1p(cauchy_ratio(square, median));
  return sum;
}

/// Weight of a sample in least squares whose minimum is that of Cauchy's loss.
inline double cauchy_weight(double square, double median) { return 1 / (1 + cauchy_ratio(square, median)); }

}  // namespace fewstep::detail
