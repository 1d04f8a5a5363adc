// The network that turns latents into pictures.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <vector>

namespace fewstep::examples {

/// Latents [N, latent_shape...] to pictures [N, C, H, W] in [-1, 1]; empty: there is no decoder.
using Decoder = std::function<torch::Tensor(const torch::Tensor& latents)>;

/// Loads the decoder of a description (io/README.md).
/// @param latent_shape  of the samples to decode
/// @throws std::runtime_error "PATH: WHAT" for a file that cannot be read or is malformed, a runtime that this program
/// was built without, or a decoder of other latents.
Decoder load_decoder(const std::filesystem::path& path, const std::vector<std::int64_t>& latent_shape,
                     torch::Device device);

}  // namespace fewstep::examples
