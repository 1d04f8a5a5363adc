#include "tensor_file.hpp"

#include <fewstep/torch/safetensors.hpp>

#include <utility>

namespace fewstep::examples {

std::map<std::string, Array> arrays_of(const std::map<std::string, torch::Tensor>& tensors) {
  std::map<std::string, Array> arrays;
  for (const auto& [name, tensor] : tensors) arrays.emplace(name, io::array_of(tensor));
  return arrays;
}

std::map<std::string, torch::Tensor> tensors_of(const std::map<std::string, Array>& arrays) {
  std::map<std::string, torch::Tensor> tensors;
  for (const auto& [name, array] : arrays) tensors.emplace(name, io::tensor_of(array));
  return tensors;
}

TensorFile load_tensors(const std::filesystem::path& path) {
  io::TensorFile file = io::load_tensors(path);
  return {std::move(file.tensors), std::move(file.metadata)};
}

void save_tensors(const std::filesystem::path& path, const TensorFile& file) {
  io::save_tensors(path, {file.tensors, file.metadata});
}

}  // namespace fewstep::examples
