// Tensors beside the Eigen arrays of types.hpp. Included after LibTorch.
#pragma once

#include "types.hpp"

#include <torch/torch.h>

namespace fewstep::test {

/// [rows, batch] column-major == [batch, rows] row-major.
inline torch::Tensor tensor(const Array& x) {
  return torch::from_blob(const_cast<double*>(x.data()), {x.cols(), x.rows()}, torch::kFloat64).clone();
}
inline double distance(const torch::Tensor& a, const torch::Tensor& b) { return (a - b).abs().max().item<double>(); }

}  // namespace fewstep::test
