// Classes and guidance of the samples that a command draws.
#pragma once

#include "command_line.hpp"
#include "samples.hpp"
#include "unet_config.hpp"
#ifdef FEWSTEP_TORCH
#include "network.hpp"
#endif

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace fewstep::examples {

/// A denoiser of one type for every network, class and guidance scale, so that a command compiles solvers for it once.
class ConditionalDenoiser {
 public:
  using Denoise =
      std::function<bool(const Samples& x, const Level<Samples>& sigma, Samples& out, Features<Samples>& features)>;
  /// @param denoise   out <- D(x, sigma); whether there are features
  /// @param guidance  classifier-free guidance scale that it has; other than 1, each call takes two evaluations
  ConditionalDenoiser(Denoise denoise, double guidance) : guidance_(guidance), denoise_(std::move(denoise)) {}

  bool operator()(const Samples& x, const Level<Samples>& sigma, Samples& out, Features<Samples>& features) const {
    return denoise_(x, sigma, out, features);
  }
  int evaluations_per_call() const { return guidance_ == 1 ? 1 : 2; }
  double guidance() const { return guidance_; }
  /// This denoiser by another function.
  ConditionalDenoiser with(Denoise denoise) const {
    ConditionalDenoiser changed = *this;
    changed.denoise_ = std::move(denoise);
    return changed;
  }

#ifdef FEWSTEP_TORCH
  /// A network for samples of given classes. Features are those of the network for the given classes.
  /// @param labels    [N, classes], N >= the batch, one-hot or zeros for unconditional samples; undefined: a network
  ///                  without classes
  ConditionalDenoiser(Network network, torch::Tensor labels, double guidance = 1);
  const torch::Tensor& labels() const { return labels_; }

 private:
  torch::Tensor labels_;
#endif

 private:
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

  /// @throws std::invalid_argument if the network has no classes, or not these, or lacks guidance.
  void check(const UnetConfig& config) const;

  /// For descriptions of results; empty for conditional samples of all classes without guidance.
  std::string text() const;

  /// The number of classes that take turns; 1 for unconditional samples.
  std::int64_t class_count(const UnetConfig& config) const;

#ifdef FEWSTEP_TORCH
  /// Labels of the samples first, first + 1, ...: [count, classes]; undefined for a network without classes.
  torch::Tensor labels(const UnetConfig& config, std::int64_t first, std::int64_t count) const;
#endif
};

}  // namespace fewstep::examples
