// What is to be known of an exported model.
#pragma once

#include "../../array/array.hpp"
#include "../../enum_names.hpp"
#include "../../errors.hpp"
#include "process.hpp"

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fewstep::io {

/// The runtimes, each by the extension of its files where the description names none: .onnx, .xml, .pt or .ts, .pt2.
/// OpenVINO reads .onnx too.
enum class Runtime { onnxruntime, openvino, torchscript, aoti };
constexpr std::array<std::string_view, 4> names_of(Runtime) {
  return {"onnxruntime", "openvino", "torchscript", "aoti"};
}

/// An input of a network.
struct ModelInput {
  std::string name = {};            ///< empty: by its place
  std::optional<Dtype> dtype = {};  ///< none: what the runtime tells, else F32
  bool scalar = false;              ///< a label without the axis of samples, where the runtime does not tell
};

/// A further input with the same values in every evaluation.
struct ModelCondition {
  std::string input;
  std::string values;              ///< a .npy file in the folder: one row for all samples, or one per sample
  std::string unconditional = {};  ///< the same for the evaluations without the condition, which guidance needs
};

/// What is to be known of an exported model. Files are named without a folder: they lie beside the description.
struct ModelFile {
  std::string network;
  std::optional<Runtime> runtime = {};
  std::vector<std::int64_t> sample_shape;  ///< without the axis of samples
  std::int64_t batch = 0;                  ///< samples of each run, where the runtime does not tell; 0: any number
  ModelRule rule = {};
  ModelInput state = {}, label = {};
  std::string output = {}, feature = {};  ///< names, or places for runtimes without names; an empty feature: none
  std::vector<ModelCondition> conditions = {};
  double sigma_min = 0.002, sigma_max = 80;     ///< the levels between which the network is to be used
  double lowest_value = -1, highest_value = 1;  ///< of the data; what a picture shows
};

/// Returns the runtime that a description names, or that the file's extension stands for.
/// @throws std::invalid_argument for another extension.
inline Runtime runtime_of(const ModelFile& file) {
  if (file.runtime) return *file.runtime;
  const std::string extension = std::filesystem::path(file.network).extension().string();
  if (extension == ".onnx") return Runtime::onnxruntime;
  if (extension == ".xml") return Runtime::openvino;
  if (extension == ".pt" || extension == ".ts") return Runtime::torchscript;
  if (extension == ".pt2") return Runtime::aoti;
  refuse("network", file.network, "files .onnx, .xml, .pt, .ts or .pt2, or with a `runtime`");
}

}  // namespace fewstep::io
