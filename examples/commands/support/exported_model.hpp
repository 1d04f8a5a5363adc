// A network that was exported to ONNX, TorchScript or AOTInductor, as its description names it (io/model_file.hpp).
#pragma once

#include "samples.hpp"

#include <fewstep/io/model/exported_options.hpp>
#include <fewstep/io/model/file.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

namespace fewstep::examples {

/// A network: out <- network(x, label); whether it set features.
using RawNetwork =
    std::function<bool(const Samples& x, const Level<Samples>& label, Samples& out, Features<Samples>& features)>;

/// A described model, loaded. Copies share the network.
class ExportedModel {
 public:
  /// @param path    of the description
  /// @param device  of TorchScript, e.g. "cuda"; the other runtimes compute on the CPU
  /// @throws std::runtime_error for a file that cannot be read, a runtime that this program was built without, or a
  /// network that is not what the description says, each with the description's path.
  ExportedModel(const std::filesystem::path& path, const std::string& device);

  const io::ModelFile& file() const { return file_; }
  /// The most rows of its conditions: they take turns, so that sample i has row i modulo their number.
  std::int64_t rows() const { return rows_; }

  /// The network for samples first, first + 1, ..., `count` of them or fewer.
  /// @throws std::runtime_error where unconditional values are asked for and the description names none.
  RawNetwork network(io::Conditions which, std::int64_t first, std::int64_t count) const {
    return network_(which, first, count);
  }

 private:
  io::ModelFile file_;
  std::function<RawNetwork(io::Conditions, std::int64_t first, std::int64_t count)> network_;
  std::int64_t rows_ = 1;
};

}  // namespace fewstep::examples
