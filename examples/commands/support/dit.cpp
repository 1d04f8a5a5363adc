#include "dit.hpp"

#include "dit_model.hpp"

#include <fewstep/processes/flow.hpp>

#include <utility>

namespace fewstep::examples {

FlowDenoiser::FlowDenoiser(const DitConfig& config) : FlowDenoiser(config, std::make_shared<Dit>(config)) {}
FlowDenoiser::FlowDenoiser(const DitConfig& config, std::shared_ptr<Dit> model)
    : ImageDenoiser(model), config_(config), model_(std::move(model)) {}

torch::Tensor FlowDenoiser::loss_weight(const torch::Tensor& sigma) const {
  return Flow{}.time(sigma).square().reciprocal();
}

ImageDenoiser::Output FlowDenoiser::evaluate(const torch::Tensor& x, const torch::Tensor& level,
                                             const torch::Tensor& labels) const {
  const torch::TensorOptions precise = x.options().dtype(precise_type());
  const auto column = [&](const torch::Tensor& t) { return t.to(precise).reshape({-1, 1, 1, 1}); };
  const torch::Tensor time = Flow{}.time(level);
  const torch::Tensor x_t = column(Flow{}.alpha(level)) * x.to(precise);
  const Dit::Output output = model_->forward(x_t, time, labels, compute_type.value_or(weight_type()));

  const torch::Tensor strength = output.middle.to(precise.dtype()).square().mean(2).sqrt();
  const std::int64_t side = config_.side();
  return {(x_t - column(time) * output.velocity.to(precise)).to(x.scalar_type()),
          torch::avg_pool2d(strength.reshape({-1, side, side}), 2)};
}

}  // namespace fewstep::examples
