#include "tensor_file.hpp"

#include <fewstep/torch/safetensors.hpp>

#include <utility>

namespace fewstep::examples {

TensorFile load_tensors(const std::filesystem::path& path) {
  io::TensorFile file = io::load_tensors(path);
  return {std::move(file.tensors), std::move(file.metadata)};
}

void save_tensors(const std::filesystem::path& path, const TensorFile& file) {
  io::save_tensors(path, {file.tensors, file.metadata});
}

}  // namespace fewstep::examples
