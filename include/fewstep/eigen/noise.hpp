// Unit Gaussian noise as an Eigen array.
#pragma once

#include "../noise.hpp"
#include "../seeds.hpp"

#include <Eigen/Core>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace fewstep {

/// Unit Gaussian noise, one column per sample; the numbers are those of fill_noise().
/// @param seeds  one per sample; column b is a function of seeds[b] alone
/// @param rows   numbers per sample
/// @return [rows, seeds.size()]
template <class Scalar = double>
Eigen::Array<Scalar, Eigen::Dynamic, Eigen::Dynamic> noise(const std::vector<std::uint64_t>& seeds, Eigen::Index rows) {
  Eigen::Array<Scalar, Eigen::Dynamic, Eigen::Dynamic> x(rows, static_cast<Eigen::Index>(seeds.size()));
  for (Eigen::Index b = 0; b < x.cols(); ++b)
    fill_noise<Scalar>({x.data() + b * rows, static_cast<std::size_t>(rows)}, seeds[static_cast<std::size_t>(b)]);
  return x;
}

}  // namespace fewstep
