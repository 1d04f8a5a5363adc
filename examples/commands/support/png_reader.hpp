// Decoding PNG files in memory.
#pragma once

#include "image_grid.hpp"

#include <cstdint>
#include <span>

namespace fewstep::examples {

/// Returns an image of 4 channels: red, green, blue and opacity.
/// @throws std::runtime_error if the bytes are no PNG file.
Image decode_png(std::span<const std::uint8_t> bytes);

}  // namespace fewstep::examples
