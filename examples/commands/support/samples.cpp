#include "samples.hpp"

#include <fewstep/algebra.hpp>
#include <fewstep/array/values.hpp>
#include <fewstep/errors.hpp>

#include <algorithm>
#include <cstddef>
#include <utility>

#ifdef FEWSTEP_TORCH
#include "network.hpp"

#include <fewstep/torch/noise.hpp>
#else
#include <fewstep/randn.hpp>
#include <fewstep/runtimes/port.hpp>
#endif

namespace fewstep::examples {

namespace {

Shape with_count(std::int64_t count, Shape shape) {
  shape.insert(shape.begin(), count);
  return shape;
}

}  // namespace

#ifdef FEWSTEP_TORCH

namespace {
torch::TensorOptions options_of(const Place& place) {
  return torch::TensorOptions(parse_device(place.device)).dtype(place.wide ? torch::kFloat64 : torch::kFloat32);
}
}  // namespace

void check_place(const Place& place) { parse_device(place.device); }

Samples unit_noise(const std::vector<std::uint64_t>& numbers, const Shape& sample_shape, const Place& place) {
  return tensor_noise(numbers, sample_shape, options_of(place));
}

Samples samples_of(const Array& array, const Place& place) {
  return torch::tensor(values_of<float>(array)).view(array.shape).to(options_of(place));
}

Array array_of(const Samples& samples, const Shape& sample_shape) {
  const torch::Tensor plain = samples.to(torch::kCPU, torch::kFloat32).contiguous();
  const float* first = plain.data_ptr<float>();
  return fewstep::array_of(std::vector<float>(first, first + plain.numel()), with_count(plain.size(0), sample_shape),
                           Dtype::f32);
}

std::int64_t count_of(const Samples& samples) { return samples.size(0); }
std::int64_t numbers_of(const Samples& samples) { return samples.numel(); }

Samples part_of(const Samples& samples, std::int64_t first, std::int64_t count) {
  return samples.narrow(0, first, count);
}

#else

void check_place(const Place& place) {
  require(place.device == "cpu", "device", place.device, "cpu: this program was built without LibTorch");
  require(!place.wide, "dtype", "float64", "float32: this program was built without LibTorch");
}

Samples unit_noise(const std::vector<std::uint64_t>& numbers, const Shape& sample_shape, const Place&) {
  const std::size_t size = fewstep::detail::count_of(sample_shape);
  Samples all(std::vector<float>(numbers.size() * size), numbers.size());
  for (std::size_t b = 0; b < numbers.size(); ++b) fill_randn(all.sample(b), numbers[b]);
  return all;
}

Samples samples_of(const Array& array, const Place&) {
  return Samples(values_of<float>(array), static_cast<std::size_t>(array.shape.at(0)));
}

Array array_of(const Samples& samples, const Shape& sample_shape) {
  return fewstep::array_of(std::vector<float>(samples.begin(), samples.end()),
                           with_count(count_of(samples), sample_shape), Dtype::f32);
}

std::int64_t count_of(const Samples& samples) { return static_cast<std::int64_t>(samples.samples()); }
std::int64_t numbers_of(const Samples& samples) { return static_cast<std::int64_t>(samples.size()); }

Samples part_of(const Samples& samples, std::int64_t first, std::int64_t count) {
  const auto numbers = static_cast<std::int64_t>(samples.numbers());
  return Samples(std::vector<float>(samples.begin() + first * numbers, samples.begin() + (first + count) * numbers),
                 static_cast<std::size_t>(count));
}

#endif

std::vector<Samples> batches_of(const Samples& samples, std::int64_t count) {
  std::vector<Samples> parts;
  for (std::int64_t first = 0; first < count_of(samples); first += count)
    parts.push_back(part_of(samples, first, (std::min)(count, count_of(samples) - first)));
  return parts;
}

Samples scaled(const Samples& samples, double factor) {
  Samples result = algebra<Samples>::like(samples);
  scale(result, factor, samples);
  return result;
}

Array joined(const std::vector<Array>& parts) {
  Array all{parts.at(0).dtype, parts[0].shape, {}};
  all.shape[0] = 0;
  for (const Array& part : parts) {
    all.shape[0] += part.shape[0];
    all.bytes.insert(all.bytes.end(), part.bytes.begin(), part.bytes.end());
  }
  return all;
}

}  // namespace fewstep::examples
