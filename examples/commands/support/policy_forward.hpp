// The policy's network on tensors; examples/policy/network.hpp has it in plain C++.
#pragma once

#include <torch/types.h>

#include <map>
#include <string>

namespace fewstep::examples {

using PolicyWeights = std::map<std::string, torch::Tensor>;

/// Random weights: LibTorch's global generator draws them.
PolicyWeights random_policy_weights();

/// F(x, label, condition); weights that require gradients get them.
/// @param x          [B, 112]
/// @param label      [B] or one for all
/// @param condition  [B, 14]; zeros: unconditional
/// @return [B, 112]
torch::Tensor policy_forward(const PolicyWeights& weights, const torch::Tensor& x, const torch::Tensor& label,
                             const torch::Tensor& condition);

}  // namespace fewstep::examples
