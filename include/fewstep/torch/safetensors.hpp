// Tensors from and to safetensors files.
#pragma once

#include "../io/safetensors.hpp"

#include <torch/types.h>

#include <cstddef>
#include <cstring>
#include <filesystem>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace fewstep::io {

/// The content of a safetensors file: tensors and text by name.
struct TensorFile {
  std::map<std::string, torch::Tensor> tensors;
  std::map<std::string, std::string> metadata;
};

/// Returns LibTorch's type for an element type of the format.
/// @throws std::runtime_error for types that LibTorch 1.13 lacks: unsigned integers of 16 bits or more.
inline torch::ScalarType scalar_type(Dtype dtype) {
  switch (dtype) {
    case Dtype::boolean: return torch::kBool;
    case Dtype::u8: return torch::kUInt8;
    case Dtype::i8: return torch::kInt8;
    case Dtype::i16: return torch::kInt16;
    case Dtype::f16: return torch::kFloat16;
    case Dtype::bf16: return torch::kBFloat16;
    case Dtype::i32: return torch::kInt32;
    case Dtype::f32: return torch::kFloat32;
    case Dtype::i64: return torch::kInt64;
    case Dtype::f64: return torch::kFloat64;
    default: throw std::runtime_error("dtype " + std::string(to_string(dtype)) + " has no LibTorch counterpart");
  }
}

/// Returns the format's element type for one of LibTorch: the inverse of scalar_type().
/// @throws std::invalid_argument for types that the format lacks: complex and quantised ones.
inline Dtype dtype_of(torch::ScalarType type) {
  switch (type) {
    case torch::kBool: return Dtype::boolean;
    case torch::kUInt8: return Dtype::u8;
    case torch::kInt8: return Dtype::i8;
    case torch::kInt16: return Dtype::i16;
    case torch::kFloat16: return Dtype::f16;
    case torch::kBFloat16: return Dtype::bf16;
    case torch::kInt32: return Dtype::i32;
    case torch::kFloat32: return Dtype::f32;
    case torch::kInt64: return Dtype::i64;
    case torch::kFloat64: return Dtype::f64;
    default: throw std::invalid_argument("dtype " + std::string(torch::toString(type)) + " cannot be saved");
  }
}

/// Returns an array as a tensor on the CPU.
/// @throws std::runtime_error for a type that LibTorch lacks.
inline torch::Tensor tensor_of(const Array& array) {
  torch::Tensor tensor = torch::empty(array.shape, scalar_type(array.dtype));
  if (!array.bytes.empty()) std::memcpy(tensor.data_ptr(), array.bytes.data(), array.bytes.size());
  return tensor;
}

/// Returns a tensor of any device as an array: the inverse of tensor_of().
/// @throws std::invalid_argument for a type that the format lacks.
inline Array array_of(const torch::Tensor& tensor) {
  const torch::Tensor plain = tensor.detach().to(torch::kCPU).contiguous();
  Array array{dtype_of(plain.scalar_type()), plain.sizes().vec(), std::vector<std::byte>(plain.nbytes())};
  if (!array.bytes.empty()) std::memcpy(array.bytes.data(), plain.data_ptr(), array.bytes.size());
  return array;
}

/// Reads a safetensors file; tensors are on the CPU, with the stored types.
/// @throws std::runtime_error as read_safetensors(), or naming a tensor whose type LibTorch lacks.
inline TensorFile load_tensors(const std::filesystem::path& path) {
  Safetensors raw = read_safetensors(path);
  TensorFile file;
  file.metadata = std::move(raw.metadata);
  for (const auto& [key, array] : raw.tensors) {
    try {
      file.tensors.emplace(key, tensor_of(array));
    } catch (const std::runtime_error& error) {
      throw std::runtime_error(path.string() + ": tensor " + key + ": " + error.what());
    }
  }
  return file;
}

/// Writes a safetensors file, atomically (atomic_write), from tensors on any device.
/// @throws std::invalid_argument for a type that the format lacks; std::runtime_error if the file cannot be written.
inline void save_tensors(const std::filesystem::path& path, const TensorFile& file) {
  Safetensors raw;
  raw.metadata = file.metadata;
  for (const auto& [key, tensor] : file.tensors) raw.tensors.emplace(key, array_of(tensor));
  write_safetensors(path, raw);
}

}  // namespace fewstep::io
