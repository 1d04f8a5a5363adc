// A Gaussian start as a safetensors file.
#pragma once

#include "../array/values.hpp"
#include "../denoisers/gaussian_start.hpp"
#include "../errors.hpp"
#include "file_error.hpp"
#include "format.hpp"
#include "safetensors.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace fewstep::io {

/// The format that is written and read.
inline constexpr const char* gaussian_start_format = "fewstep gaussian start 1";

namespace detail {

/// @throws std::runtime_error for a tensor that is missing or of another element type.
template <class T>
std::vector<T> values_named(const Safetensors& file, const std::string& name) {
  const Array& array = file.tensor(name);
  try {
    return values_of<T>(array);
  } catch (const std::runtime_error& error) {
    throw std::runtime_error("tensor " + name + " " + error.what());
  }
}

/// Returns the values of a tensor [classes + 1, ...], split along its first dimension.
/// @throws std::runtime_error as values_named(); std::invalid_argument for another shape.
template <class T>
std::vector<std::vector<T>> rows_named(const Safetensors& file, const std::string& name,
                                       const std::vector<std::int64_t>& shape) {
  using fewstep::detail::shape_text;
  const std::vector<std::int64_t>& found = file.tensor(name).shape;
  require(found == shape, "the shape of tensor " + name, shape_text(found), shape_text(shape));
  const std::vector<T> all = values_named<T>(file, name);
  const auto count = static_cast<std::size_t>(shape[0]), size = all.size() / count;
  std::vector<std::vector<T>> rows;
  for (std::size_t k = 0; k < count; ++k) {
    const auto first = all.begin() + static_cast<std::ptrdiff_t>(k * size);
    rows.emplace_back(first, first + static_cast<std::ptrdiff_t>(size));
  }
  return rows;
}

inline GaussianStart gaussian_start_from(const Safetensors& file) {
  check_format(file.text("format"), gaussian_start_format, "a Gaussian start");
  const std::vector<std::int64_t> extents = file.tensor("means").shape;
  if (extents.empty() || extents[0] == 0) throw std::runtime_error("tensor means has no entry");
  GaussianStart start{.shape = {extents.begin() + 1, extents.end()},
                      .means = rows_named<float>(file, "means", extents)};
  const std::vector<double> variance = values_named<double>(file, "variance");
  require(variance.size() == 1, "the size of tensor variance", variance.size(), "1");
  start.variance = variance[0];
  start.directions.resize(start.means.size());
  start.variances.resize(start.means.size());
  if (file.tensors.contains("directions") || file.tensors.contains("variances")) {  // absent: rank 0
    const std::vector<std::int64_t>& shape = file.tensor("variances").shape;
    const std::int64_t rank = shape.size() == 2 ? shape[1] : 0;
    std::vector<std::int64_t> ranked = extents;
    ranked.insert(ranked.begin() + 1, rank);
    start.directions = rows_named<float>(file, "directions", ranked);
    start.variances = rows_named<double>(file, "variances", {extents[0], rank});
  }
  start.validate();
  return start;
}

}  // namespace detail

/// Writes a Gaussian start, atomically (atomic_write).
///
/// Tensors: means [classes + 1, shape...] (F32), directions [classes + 1, rank, shape...] (F16: their share of the
/// denoised image is small), variances [classes + 1, rank] and variance [1] (F64).
///
/// @throws std::invalid_argument as GaussianStart::validate; std::runtime_error if the file cannot be written.
inline void write_gaussian_start(const std::filesystem::path& path, const GaussianStart& start) {
  start.validate();
  const auto joined = [](const auto& rows) {
    auto all = rows[0];
    for (std::size_t k = 1; k < rows.size(); ++k) all.insert(all.end(), rows[k].begin(), rows[k].end());
    return all;
  };
  const auto entries = static_cast<std::int64_t>(start.means.size()), rank = static_cast<std::int64_t>(start.rank());
  std::vector<std::int64_t> shape = start.shape;
  shape.insert(shape.begin(), entries);
  std::vector<std::int64_t> ranked = shape;
  ranked.insert(ranked.begin() + 1, rank);
  write_safetensors(path, {{{"means", array_of(joined(start.means), shape, Dtype::f32)},
                            {"directions", array_of(joined(start.directions), ranked, Dtype::f16)},
                            {"variances", array_of(joined(start.variances), {entries, rank}, Dtype::f64)},
                            {"variance", array_of(std::vector{start.variance}, {1}, Dtype::f64)}},
                           {{"format", gaussian_start_format}}});
}

/// Reads a Gaussian start. Without directions and variances it has rank 0.
///
/// @throws std::runtime_error "PATH: WHAT" if the file cannot be read or is malformed.
inline GaussianStart read_gaussian_start(const std::filesystem::path& path) {
  const Safetensors file = read_safetensors(path);
  return detail::naming_file(path, [&] { return detail::gaussian_start_from(file); });
}

/// Reads a Gaussian start and checks that it fits a model.
///
/// @param sample_shape  extents of one sample of the model
/// @param classes       number of the model's classes; 0 for an unconditional model
/// @throws std::runtime_error "PATH: WHAT", also for another shape or number of classes.
inline GaussianStart read_gaussian_start(const std::filesystem::path& path,
                                         const std::vector<std::int64_t>& sample_shape, std::size_t classes) {
  GaussianStart start = read_gaussian_start(path);
  detail::naming_file(path, [&] { start.require_fits(sample_shape, classes); });
  return start;
}

}  // namespace fewstep::io
