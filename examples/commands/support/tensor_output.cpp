#include "tensor_output.hpp"

#include <fewstep/array/array.hpp>
#include <fewstep/io/npy.hpp>

#include <cstddef>
#include <cstring>
#include <span>
#include <vector>

namespace fewstep::examples {

namespace {

/// @param tensor  contiguous, in float32, on the CPU; must outlive the span
std::span<const float> floats(const torch::Tensor& tensor) {
  return {tensor.data_ptr<float>(), static_cast<std::size_t>(tensor.numel())};
}

torch::Tensor on_host(const torch::Tensor& tensor) { return tensor.to(torch::kCPU, torch::kFloat32).contiguous(); }

}  // namespace

Image picture(const torch::Tensor& images, int columns, int scale) {
  const torch::Tensor plain = on_host(images);
  const auto extent = [&](int k) { return static_cast<int>(plain.size(k)); };
  return grid(floats(plain), {.batch = extent(0),
                              .channels = extent(1),
                              .height = extent(2),
                              .width = extent(3),
                              .columns = columns,
                              .scale = scale});
}

torch::Tensor in_range(const torch::Tensor& samples, double low, double high) {
  return low == -1 && high == 1 ? samples : (samples - low) * (2 / (high - low)) - 1;
}

void write_npy(const std::filesystem::path& path, const torch::Tensor& tensor) {
  const torch::Tensor plain = on_host(tensor);
  Array array{Dtype::f32, plain.sizes().vec(), std::vector<std::byte>(plain.nbytes())};
  std::memcpy(array.bytes.data(), plain.data_ptr<float>(), array.bytes.size());
  io::write_npy(path, array);
}

}  // namespace fewstep::examples
