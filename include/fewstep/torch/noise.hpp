#pragma once

#include <torch/types.h>

#include <cstdint>
#include <vector>

namespace fewstep {

/// Unit Gaussian noise [seeds.size(), shape...]: sample b is what `torch.randn(shape, generator=torch.Generator("cpu")
/// .manual_seed(seeds[b]))` gives in Python, in float32, then moved to the device and type of `options`. It does not
/// depend on the batch.
inline torch::Tensor tensor_noise(const std::vector<std::uint64_t>& seeds, const std::vector<std::int64_t>& shape,
                                  torch::TensorOptions options = {}) {
  std::vector<torch::Tensor> rows;
  for (const std::uint64_t seed : seeds)
    rows.push_back(torch::randn(shape, at::detail::createCPUGenerator(seed), torch::kFloat32));
  return torch::stack(rows).to(options);
}

}  // namespace fewstep
