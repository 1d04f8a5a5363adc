// A transformer that predicts the velocity of a rectified flow, as a denoiser.
#pragma once

#include "dit_config.hpp"
#include "image_denoiser.hpp"

#include <torch/types.h>

#include <map>
#include <memory>
#include <string>

namespace fewstep::examples {

class Dit;

/// A network that predicts v = noise - x0 from x_t = (1 - t) x0 + t noise, in the coordinates of noise levels:
///   D(x, sigma) = x_t - t v(x_t, t),  t = sigma / (1 + sigma),  x_t = x / (1 + sigma).
/// At sigma = 0 it is x.
///
/// The feature comes from the tokens after half of the blocks, since a transformer has no bottleneck: their root mean
/// square over channels, averaged over 2x2 tokens. The mean over channels, the feature of a U-Net, is what the layer
/// norm of the next block removes.
class FlowDenoiser final : public ImageDenoiser {
 public:
  /// Random weights. The velocity is 0 at first.
  explicit FlowDenoiser(const DitConfig& config);

  const DitConfig& config() const override { return config_; }
  std::map<std::string, std::string> metadata() const override { return to_metadata(config_); }
  /// t has a logit-normal distribution (Esser et al. 2024, arXiv 2403.03206, section 3.1), since ln(sigma) = logit(t).
  /// It is wider than theirs, so that samplers may start at sigma = 80.
  TrainingLevels training_levels() const override { return {0, 1.4}; }
  /// Makes the loss |v - (noise - x0)|^2.
  torch::Tensor loss_weight(const torch::Tensor& sigma) const override;

 private:
  FlowDenoiser(const DitConfig& config, std::shared_ptr<Dit> model);
  Output evaluate(const torch::Tensor& x, const torch::Tensor& level, const torch::Tensor& labels) const override;

  DitConfig config_;
  std::shared_ptr<Dit> model_;
};

}  // namespace fewstep::examples
