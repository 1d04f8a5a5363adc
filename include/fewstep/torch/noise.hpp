// Reproducible noise: one seed per sample.
#pragma once

#include "../seeds.hpp"

#include <torch/types.h>

#include <cstdint>
#include <vector>

namespace fewstep {

/// Unit Gaussian noise that does not depend on the batch: sample b is a function of seeds[b] alone, equal to
/// torch.randn(shape, generator=torch.Generator("cpu").manual_seed(seeds[b])) in Python.
/// @param seeds    one per sample
/// @param shape    of one sample
/// @param options  device and type of the result; drawn on the CPU in float32, then converted
/// @return [seeds.size(), shape...]
inline torch::Tensor tensor_noise(const std::vector<std::uint64_t>& seeds, const std::vector<std::int64_t>& shape,
                                  torch::TensorOptions options = {}) {
  std::vector<torch::Tensor> rows;
  for (const std::uint64_t seed : seeds)
    rows.push_back(torch::randn(shape, at::detail::createCPUGenerator(seed), torch::kFloat32));
  return torch::stack(rows).to(options);
}

}  // namespace fewstep
