// The networks of Karras et al. 2022 (EDM, arXiv 2206.00364) with their preconditioning: DDPM++, NCSN++ and ADM.
#pragma once

#include "image_denoiser.hpp"
#include "unet_config.hpp"

#include <torch/types.h>

#include <map>
#include <memory>
#include <string>

namespace fewstep::examples {

class Unet;

/// A preconditioned network (EDM, equation 7 and table 1):
///   D(x, sigma) = c_skip x + c_out F(c_in x, ln(sigma) / 4),
///   c_skip = sd^2 / (sigma^2 + sd^2),  c_out = sigma sd / sqrt(sigma^2 + sd^2),  c_in = 1 / sqrt(sigma^2 + sd^2),
/// with sd the standard deviation of the data, UnetConfig::sigma_data. Levels must be positive. The feature is the
/// channel mean of the encoder's last block.
class EdmDenoiser final : public ImageDenoiser {
 public:
  /// Random weights.
  explicit EdmDenoiser(const UnetConfig& config);

  const UnetConfig& config() const override { return config_; }
  std::map<std::string, std::string> metadata() const override { return to_metadata(config_); }
  /// EDM, table 1.
  TrainingLevels training_levels() const override { return {-1.2, 1.2}; }
  torch::Tensor loss_weight(const torch::Tensor& sigma) const override;

 private:
  EdmDenoiser(const UnetConfig& config, std::shared_ptr<Unet> model);
  Output evaluate(const torch::Tensor& x, const torch::Tensor& level, const torch::Tensor& labels) const override;

  UnetConfig config_;
  std::shared_ptr<Unet> model_;
};

}  // namespace fewstep::examples
