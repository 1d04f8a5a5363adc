// The network of a file of weights: loaded, on its device, in its type, observed.
#pragma once

#include "evaluations.hpp"
#include "image_denoiser.hpp"
#include "network_options.hpp"

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace fewstep::examples {

/// @return the device "cpu", "cuda" or "cuda:N"
/// @throws std::invalid_argument for any other name, and for a GPU that does not exist.
torch::Device parse_device(const std::string& name);

/// Returns unit noise [numbers, C, H, W] for a network's images; each depends on its number only.
torch::Tensor noise_of(const std::vector<std::uint64_t>& numbers, const ImageConfig& config, torch::Device device);

/// Loads the network of a file of weights, on its device and in its type.
/// @throws std::runtime_error as load_denoiser(); std::invalid_argument as parse_device().
std::shared_ptr<ImageDenoiser> load_network(const NetworkOptions& options);

/// A network as a function (x [B, C, H, W], sigma [] or [B], labels [B, classes] or undefined).
using Network = std::function<ImageDenoiser::Output(const torch::Tensor&, const torch::Tensor&, const torch::Tensor&)>;

/// @param around  empty: the evaluation alone
Network observed(std::shared_ptr<const ImageDenoiser> network, AroundEvaluation around);

}  // namespace fewstep::examples
