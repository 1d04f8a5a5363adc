// Classes and guidance of the samples that a command draws.
#pragma once

#include "command_line.hpp"
#include "network.hpp"
#include "unet_config.hpp"

#include <fewstep/torch/algebra.hpp>

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace fewstep::examples {

/// A network for samples of given classes as a denoiser: one type for every network and guidance scale, so that a
/// command compiles solvers for it once. Features are those of the network for the given classes.
class ConditionalDenoiser {
 public:
  /// @param labels    [N, classes], N >= the batch, one-hot or zeros for unconditional samples; undefined: a network
  ///                  without classes
  /// @param guidance  classifier-free guidance scale; other than 1, each call takes two evaluations
  ConditionalDenoiser(Network network, torch::Tensor labels, double guidance = 1);

  using Denoise =
      std::function<bool(const torch::Tensor&, const Level<torch::Tensor>&, torch::Tensor&, torch::Tensor&)>;
  /// Any denoiser.
  /// @param guidance, labels  that it has
  ConditionalDenoiser(Denoise denoise, double guidance, torch::Tensor labels = {})
      : labels_(std::move(labels)), guidance_(guidance), denoise_(std::move(denoise)) {}

  /// out <- D(x, sigma); @return true: there are features
  bool operator()(const torch::Tensor& x, const Level<torch::Tensor>& sigma, torch::Tensor& out,
                  torch::Tensor& features) const;
  int evaluations_per_call() const { return guidance_ == 1 ? 1 : 2; }

  const torch::Tensor& labels() const { return labels_; }
  double guidance() const { return guidance_; }

 private:
  torch::Tensor labels_;
  double guidance_;
  Denoise denoise_;
};

/// The classes of a command's samples, and their guidance.
struct Condition {
  bool unlabelled = false;                 // unconditional samples
  double guidance = 1;                     // classifier-free guidance scale
  std::vector<std::int64_t> classes = {};  // sample i has class i mod their number; empty: all classes

  /// Adds --unlabelled and --guidance.
  void add_options(CommandLine& line);
  /// Adds --classes.
  void add_classes(CommandLine& line);

  /// @throws std::invalid_argument if the network has no classes, or not these.
  void check(const UnetConfig& config) const;

  /// For descriptions of results; empty for conditional samples of all classes without guidance.
  std::string text() const;

  /// The number of classes that take turns; 1 for unconditional samples.
  std::int64_t class_count(const UnetConfig& config) const;

  /// Labels of the samples first, first + 1, ...: [count, classes]; undefined for a network without classes.
  torch::Tensor labels(const UnetConfig& config, std::int64_t first, std::int64_t count) const;
};

}  // namespace fewstep::examples
