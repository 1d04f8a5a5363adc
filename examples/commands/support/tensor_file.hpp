// Safetensors files of LibTorch tensors. Declared here without the library's readers, so that they are compiled once.
#pragma once

#include <fewstep/array/array.hpp>

#include <torch/types.h>

#include <filesystem>
#include <map>
#include <string>

namespace fewstep::examples {

/// Named tensors and text metadata.
struct TensorFile {
  std::map<std::string, torch::Tensor> tensors;
  std::map<std::string, std::string> metadata;
};

std::map<std::string, Array> arrays_of(const std::map<std::string, torch::Tensor>& tensors);
std::map<std::string, torch::Tensor> tensors_of(const std::map<std::string, Array>& arrays);

/// @throws std::runtime_error as io::load_tensors().
TensorFile load_tensors(const std::filesystem::path& path);

/// @throws std::invalid_argument, std::runtime_error as io::save_tensors().
void save_tensors(const std::filesystem::path& path, const TensorFile& file);

}  // namespace fewstep::examples
