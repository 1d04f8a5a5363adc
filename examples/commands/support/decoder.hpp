// The network that turns latents into pictures.
#pragma once

#include <fewstep/array/array.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace fewstep::examples {

/// Latents [N, latent_shape...] to pictures [N, C, H, W], both in float32.
struct Decoder {
  std::function<Array(const Array& latents)> decode;
  double lowest_value = -1, highest_value = 1;  // of its pictures
};

/// Loads the decoder of a description (io/README.md).
/// @param latent_shape  of the samples to decode
/// @throws std::runtime_error "PATH: WHAT" for a file that cannot be read or is malformed, a runtime that this program
/// was built without, or a decoder of other latents.
Decoder load_decoder(const std::filesystem::path& path, const std::vector<std::int64_t>& latent_shape,
                     const std::string& device);

}  // namespace fewstep::examples
