#include "unet.hpp"

#include "unet_model.hpp"

#include <utility>

namespace fewstep::examples {

EdmDenoiser::EdmDenoiser(const UnetConfig& config) : EdmDenoiser(config, std::make_shared<Unet>(config)) {}
EdmDenoiser::EdmDenoiser(const UnetConfig& config, std::shared_ptr<Unet> model)
    : ImageDenoiser(model), config_(config), model_(std::move(model)) {}

torch::Tensor EdmDenoiser::loss_weight(const torch::Tensor& sigma) const {
  const double sd = config_.sigma_data;
  return (sigma.square() + sd * sd) / (sigma * sd).square();
}

ImageDenoiser::Output EdmDenoiser::evaluate(const torch::Tensor& x, const torch::Tensor& level,
                                            const torch::Tensor& labels) const {
  const torch::TensorOptions precise = x.options().dtype(precise_type());
  const double sd2 = config_.sigma_data * config_.sigma_data;
  const torch::Tensor total = level * level + sd2;
  const auto column = [&](const torch::Tensor& t) { return t.to(precise).reshape({-1, 1, 1, 1}); };
  const torch::Tensor c_skip = column(sd2 / total);
  const torch::Tensor c_out = column(level * config_.sigma_data / total.sqrt());
  const torch::Tensor c_in = column(total.rsqrt());
  const torch::Tensor c_noise = (level.log() / 4).to(precise);

  const torch::Tensor image = x.to(precise);
  torch::Tensor input = (c_in * image).to(compute_type.value_or(weight_type()));
  if (channels_last) input = input.contiguous(torch::MemoryFormat::ChannelsLast);
  const Unet::Output output = model_->forward(input, c_noise, labels);
  return {(c_skip * image + c_out * output.value.to(precise)).to(x.scalar_type()),
          output.bottleneck.to(precise.dtype()).mean(1)};
}

}  // namespace fewstep::examples
