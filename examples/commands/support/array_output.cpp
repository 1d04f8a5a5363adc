#include "array_output.hpp"

#include <fewstep/array/values.hpp>

#include <vector>

namespace fewstep::examples {

Image picture(const Array& images, double low, double high) {
  std::vector<float> values = values_of<float>(images);
  for (float& v : values) v = static_cast<float>((v - low) * (2 / (high - low)) - 1);
  const auto extent = [&](std::size_t k) { return static_cast<int>(images.shape.at(k)); };
  return grid(values, {.batch = extent(0), .channels = extent(1), .height = extent(2), .width = extent(3)});
}

}  // namespace fewstep::examples
