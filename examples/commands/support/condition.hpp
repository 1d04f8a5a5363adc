// Classes and guidance of the samples that a command draws.
#pragma once

#include "command_line.hpp"
#include "image_config.hpp"
#include "samples.hpp"
#ifdef FEWSTEP_TORCH
#include "network.hpp"
#endif

#include <fewstep/branches.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
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
  ConditionalDenoiser(Denoise denoise) : denoise_(std::move(denoise)) {}
  /// @param guided  a denoiser with classifier-free guidance
  /// @param guidance  its scale, other than 1; each call takes two evaluations
  template <class Guided>
  ConditionalDenoiser(Guided guided, double guidance) : guidance_(guidance) {
    set_guided(std::move(guided));
  }

  bool operator()(const Samples& x, const Level<Samples>& sigma, Samples& out, Features<Samples>& features) const {
    return denoise_(x, sigma, out, features);
  }
  int evaluations_per_call() const { return guidance_ == 1 ? 1 : 2; }
  double guidance() const { return guidance_; }
  /// This denoiser by another function, without branches.
  ConditionalDenoiser with(Denoise denoise) const {
    ConditionalDenoiser changed = *this;
    changed.denoise_ = std::move(denoise);
    changed.evaluate_ = {};
    return changed;
  }

  /// With guidance: the conditional and the unconditional denoiser.
  std::size_t branches() const { return evaluate_ ? 2 : 1; }
  std::vector<double> combination() const {
    return evaluate_ ? std::vector<double>{guidance_, 1 - guidance_} : std::vector<double>{1};
  }
  void evaluate_branches(const Level<Samples>& sigma, BranchCall<Samples>& call) const {
    call.require_branches(branches(), guidance_);
    evaluate_(sigma, call);
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
  using Evaluate = std::function<void(const Level<Samples>& sigma, BranchCall<Samples>& call)>;

  template <class Guided>
  void set_guided(Guided guided) {
    const auto shared = std::make_shared<const Guided>(std::move(guided));
    denoise_ = [shared](const Samples& x, const Level<Samples>& sigma, Samples& out, Features<Samples>& features) {
      return (*shared)(x, sigma, out, features);
    };
    evaluate_ = [shared](const Level<Samples>& sigma, BranchCall<Samples>& call) {
      shared->evaluate_branches(sigma, call);
    };
  }

  double guidance_ = 1;
  Denoise denoise_;
  Evaluate evaluate_ = {};  // branches, with guidance
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
  void check(const ImageConfig& config) const;

  /// For descriptions of results; empty for conditional samples of all classes without guidance.
  std::string text() const;

  /// The number of classes that take turns; 1 for unconditional samples.
  std::int64_t class_count(const ImageConfig& config) const;

#ifdef FEWSTEP_TORCH
  /// Labels of the samples first, first + 1, ...: [count, classes]; undefined for a network without classes.
  torch::Tensor labels(const ImageConfig& config, std::int64_t first, std::int64_t count) const;
#endif
};

}  // namespace fewstep::examples
