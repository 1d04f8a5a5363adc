// Which network a command runs, where, and in which type.
#pragma once

#include "command_line.hpp"
#include "samples.hpp"

#include <filesystem>
#include <string>

namespace fewstep::examples {

struct NetworkOptions {
  std::filesystem::path model;
  std::string device = "cpu";
  std::string dtype = "float32";  // float32, float64; bfloat16, float16: the network computes in it, the state does not
  bool bf16 = false;              // the same as dtype "bfloat16"

  /// Whether the model is a description of an exported network.
  bool described() const { return model.extension() == ".json"; }
  /// Of the state.
  Place place() const { return {device, dtype == "float64"}; }

  /// Adds --model.
  /// @param described  whether the command also takes the description of an exported network (.json)
  void add_model(CommandLine& line, bool described = true);
  /// Adds --device and --bf16.
  void add_device(CommandLine& line);
  /// Adds --device and --dtype.
  void add_device_and_dtype(CommandLine& line);
};

}  // namespace fewstep::examples
