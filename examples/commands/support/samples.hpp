// Batches of samples as the commands carry them: tensors, or without LibTorch buffers.
#pragma once

#include <fewstep/array/array.hpp>

#ifdef FEWSTEP_TORCH
#include <fewstep/torch/algebra.hpp>

#include <torch/types.h>
#else
#include <fewstep/buffer.hpp>
#endif

#include <cstdint>
#include <string>
#include <vector>

namespace fewstep::examples {

#ifdef FEWSTEP_TORCH
using Samples = torch::Tensor;  // [N, shape of a sample...]
#else
using Samples = Buffer<float>;
#endif

using Shape = std::vector<std::int64_t>;

/// Where samples lie, and in which type.
struct Place {
  std::string device = "cpu";  // without LibTorch only cpu
  bool wide = false;           // float64, with LibTorch
};

/// @throws std::invalid_argument for a device or type that there is not.
void check_place(const Place& place);

/// Unit noise [numbers, sample_shape...]; each sample depends on its number only.
Samples unit_noise(const std::vector<std::uint64_t>& numbers, const Shape& sample_shape, const Place& place);
/// @param array  of floating-point numbers [N, sample_shape...]
Samples samples_of(const Array& array, const Place& place);
/// The samples in float32.
/// @return [N, sample_shape...]
Array array_of(const Samples& samples, const Shape& sample_shape);

std::int64_t count_of(const Samples& samples);
/// Numbers of all samples.
std::int64_t numbers_of(const Samples& samples);
/// Samples first, first + 1, ...
Samples part_of(const Samples& samples, std::int64_t first, std::int64_t count);
/// Batches of `count` samples, the last one shorter where they do not fill it.
std::vector<Samples> batches_of(const Samples& samples, std::int64_t count);
Samples scaled(const Samples& samples, double factor);

/// Arrays of one type, one after the other along the first axis.
/// @param parts  [N, ...]
Array joined(const std::vector<Array>& parts);

}  // namespace fewstep::examples
