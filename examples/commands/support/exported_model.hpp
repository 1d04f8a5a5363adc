// A network that was exported to ONNX, TorchScript or AOTInductor, as its description names it (io/model_file.hpp).
#pragma once

#include <fewstep/io/model/file.hpp>
#include <fewstep/torch/algebra.hpp>

#include <torch/types.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>

namespace fewstep::examples {

/// A network on tensors: out <- network(x, label); whether it set features.
using RawNetwork = std::function<bool(const torch::Tensor& x, const Level<torch::Tensor>& label, torch::Tensor& out,
                                      torch::Tensor& features)>;

/// A described model, loaded. Copies share the network.
class ExportedModel {
 public:
  /// @param path    of the description
  /// @param device  of TorchScript; the other runtimes compute on the CPU
  /// @throws std::runtime_error for a file that cannot be read, a runtime that this program was built without, or a
  /// network that is not what the description says, each with the description's path.
  ExportedModel(const std::filesystem::path& path, torch::Device device);

  const io::ModelFile& file() const { return file_; }
  /// With the given conditions.
  const RawNetwork& network() const { return network_; }
  /// With the unconditional ones.
  /// @throws std::runtime_error where the description names none.
  RawNetwork unconditional() const { return unconditional_(); }
  /// The most rows of its conditions: 1, or one per sample.
  std::int64_t rows() const { return rows_; }

 private:
  io::ModelFile file_;
  RawNetwork network_;
  std::function<RawNetwork()> unconditional_;
  std::int64_t rows_ = 1;
};

}  // namespace fewstep::examples
