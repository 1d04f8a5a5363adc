// Tensors with the numbers of Eigen arrays.
#pragma once

#include "types.hpp"

#include <fewstep/torch/algebra.hpp>

namespace fewstep::test {

/// The same numbers as a tensor [batch, rows].
inline torch::Tensor tensor(const Array& x) {
  return torch::from_blob(const_cast<double*>(x.data()), {x.cols(), x.rows()}, torch::kFloat64).clone();
}
/// The largest difference between corresponding numbers.
inline double distance(const torch::Tensor& a, const torch::Tensor& b) { return (a - b).abs().max().item<double>(); }

}  // namespace fewstep::test
