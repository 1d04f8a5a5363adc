// Arrays of samples as pictures.
#pragma once

#include "image_grid.hpp"

#include <fewstep/array/array.hpp>

namespace fewstep::examples {

/// A picture of images [B, C, H, W] in float32, C 1 or 3.
/// @param low, high  the values that are black and white
Image picture(const Array& images, double low, double high);

}  // namespace fewstep::examples
