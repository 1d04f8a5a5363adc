// The network of a command: loaded, on its device, in its type, timed.
#pragma once

#include "command_line.hpp"
#include "progress.hpp"
#include "unet.hpp"

#include <torch/types.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

namespace fewstep::examples {

/// @return the device "cpu", "cuda" or "cuda:N"
/// @throws std::invalid_argument for any other name, and for a GPU that does not exist.
torch::Device parse_device(const std::string& name);

/// Which network a command runs, on which device, and in which type.
struct NetworkOptions {
  std::filesystem::path model;
  std::string device = "cpu";
  std::string dtype = "float32";  // float32, float64; bfloat16, float16: the network computes in it, the state does not
  bool bf16 = false;              // the same as dtype "bfloat16"

  /// Whether the model is a description of an exported network.
  bool described() const { return model.extension() == ".json"; }

  /// Adds --model.
  /// @param described  whether the command also takes the description of an exported network (.json)
  void add_model(CommandLine& line, bool described = true);
  /// Adds --device and --bf16.
  void add_device(CommandLine& line);
  /// Adds --device and --dtype.
  void add_device_and_dtype(CommandLine& line);

  /// @throws std::runtime_error as load_unet(); std::invalid_argument as parse_device().
  std::shared_ptr<EdmDenoiser> load() const;
};

/// A network as a function (x [B, C, H, W], sigma [] or [B], labels [B, classes] or undefined).
using Network = std::function<EdmDenoiser::Output(const torch::Tensor&, const torch::Tensor&, const torch::Tensor&)>;

/// Called in place of each evaluation of a network on x, which it makes by `evaluate`: to count, to time, to stop.
using AroundEvaluation = std::function<void(const torch::Tensor& x, const std::function<void()>& evaluate)>;

/// @param around  empty: the evaluation alone
Network observed(std::shared_ptr<const EdmDenoiser> network, AroundEvaluation around);

/// An evaluation after a signal throws Interrupted (signals.hpp).
AroundEvaluation interruptible();

/// Number and duration of calls.
struct CallTimes {
  int calls = 0;
  double seconds = 0;
};

/// Counts one call, and its time until the end of the block.
class CallTimer {
 public:
  /// @param wait  for the GPU, before and after the call: it runs asynchronously
  CallTimer(bool wait, CallTimes& times);
  ~CallTimer();
  CallTimer(const CallTimer&) = delete;
  CallTimer& operator=(const CallTimer&) = delete;

 private:
  bool wait_;
  CallTimes* times_;
  std::chrono::steady_clock::time_point start_;
};

/// interruptible(), and every evaluation is counted, timed and shown as progress. `progress` and `times` must outlive
/// the result.
AroundEvaluation timed(Progress& progress, CallTimes& times);

}  // namespace fewstep::examples
