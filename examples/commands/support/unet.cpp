#include "unet.hpp"

#include "tensor_file.hpp"
#include "unet_model.hpp"

#include <torch/nn/module.h>

#include <cstdio>
#include <stdexcept>
#include <utility>

namespace fewstep::examples {

struct EdmDenoiser::Modules : torch::nn::Module {
  std::shared_ptr<Unet> model;

  explicit Modules(const UnetConfig& config) { model = register_module("model", std::make_shared<Unet>(config)); }
};

namespace {

std::string shape_text(const torch::Tensor& tensor) {
  std::string text = "[";
  for (const std::int64_t extent : tensor.sizes()) text += (text.size() > 1 ? ", " : "") + std::to_string(extent);
  return text + "]";
}

/// Checks, before the network takes memory, that the file holds about as many numbers. A smaller difference is left to
/// load_state(), which names a tensor.
void require_weights(const UnetConfig& config, const std::map<std::string, torch::Tensor>& tensors) {
  constexpr double tolerated = 1e6;
  double numbers = 0;
  for (const auto& [name, tensor] : tensors) numbers += static_cast<double>(tensor.numel());
  const double least = least_weights(config);
  if (least <= 2 * numbers + tolerated) return;
  char text[120];
  std::snprintf(text, sizeof text, "the network has %.3g weights or more, the tensors hold %.3g numbers", least,
                numbers);
  throw std::runtime_error(text);
}

}  // namespace

EdmDenoiser::EdmDenoiser(const UnetConfig& config) : config_(config), modules_(std::make_shared<Modules>(config)) {}

void EdmDenoiser::to(torch::Device device) { modules_->to(device); }
void EdmDenoiser::to(torch::ScalarType type) { modules_->to(type); }
void EdmDenoiser::train(bool on) { modules_->train(on); }
bool EdmDenoiser::is_training() const { return modules_->is_training(); }
std::vector<torch::Tensor> EdmDenoiser::parameters() const { return modules_->parameters(); }
torch::nn::Module& EdmDenoiser::module() { return *modules_; }

EdmDenoiser::Output EdmDenoiser::forward(const torch::Tensor& x, const torch::Tensor& sigma,
                                         torch::Tensor labels) const {
  check_shapes(x, sigma, labels);
  const std::int64_t batch = x.size(0);
  const torch::ScalarType weight_type = modules_->model->parameters().front().scalar_type();
  const bool wide = weight_type == torch::kFloat64;
  const torch::TensorOptions precise = x.options().dtype(wide ? torch::kFloat64 : torch::kFloat32);

  // In float64, as these are few numbers. Only the final coefficients are cast.
  const torch::Tensor level = sigma.to(x.device(), torch::kFloat64).reshape({-1}).expand({batch});
  const double sd2 = config_.sigma_data * config_.sigma_data;
  const torch::Tensor total = level * level + sd2;
  const auto column = [&](const torch::Tensor& t) { return t.to(precise).reshape({-1, 1, 1, 1}); };
  const torch::Tensor c_skip = column(sd2 / total);
  const torch::Tensor c_out = column(level * config_.sigma_data / total.sqrt());
  const torch::Tensor c_in = column(total.rsqrt());
  const torch::Tensor c_noise = (level.log() / 4).to(precise);

  if (config_.label_dim > 0) labels = label_rows(labels, batch, x.device(), weight_type);
  const torch::Tensor image = x.to(precise);
  torch::Tensor input = (c_in * image).to(compute_type.value_or(weight_type));
  if (channels_last) input = input.contiguous(torch::MemoryFormat::ChannelsLast);
  const Unet::Output output = modules_->model->forward(input, c_noise, labels);
  return {(c_skip * image + c_out * output.value.to(precise)).to(x.scalar_type()),
          output.bottleneck.to(precise.dtype()).mean(1)};
}

std::map<std::string, torch::Tensor> EdmDenoiser::state() const {
  std::map<std::string, torch::Tensor> tensors;
  for (const auto& entry : modules_->named_parameters()) tensors.emplace(entry.key(), entry.value());
  for (const auto& entry : modules_->named_buffers()) tensors.emplace(entry.key(), entry.value());
  return tensors;
}

void EdmDenoiser::load_state(const std::map<std::string, torch::Tensor>& tensors) {
  const torch::NoGradGuard no_grad;
  auto own = state();
  for (const auto& [name, tensor] : tensors)
    if (!own.contains(name)) throw std::runtime_error("tensor " + name + " is not part of this network");
  for (auto& [name, target] : own) {
    const auto source = tensors.find(name);
    if (source == tensors.end()) throw std::runtime_error("tensor " + name + " is missing");
    if (source->second.sizes() != target.sizes())
      throw std::runtime_error("tensor " + name + " has shape " + shape_text(source->second) + ", the network needs " +
                               shape_text(target));
    if (!source->second.is_floating_point())
      throw std::runtime_error("tensor " + name + " does not hold floating-point numbers");
    const torch::Tensor converted = source->second.to(target.options());
    if (!torch::isfinite(converted).all().item<bool>())
      throw std::runtime_error("tensor " + name + " has values that are not finite");
    target.copy_(converted);
  }
}

torch::Tensor EdmDenoiser::label_rows(const torch::Tensor& labels, std::int64_t batch, torch::Device device,
                                      torch::ScalarType type) const {
  const auto options = torch::TensorOptions().device(device).dtype(type);
  if (!labels.defined()) return torch::zeros({batch, config_.label_dim}, options);
  if (is_training() && config_.label_dropout > 0)
    return labels.to(options) * (torch::rand({batch, 1}, options) >= config_.label_dropout);
  return labels.to(options);
}

void EdmDenoiser::check_shapes(const torch::Tensor& x, const torch::Tensor& sigma, const torch::Tensor& labels) const {
  const std::int64_t r = config_.img_resolution;
  if (x.dim() != 4 || x.size(1) != config_.img_channels || x.size(2) != r || x.size(3) != r)
    throw std::invalid_argument("x has shape " + shape_text(x) + ", this network needs [B, " +
                                std::to_string(config_.img_channels) + ", " + std::to_string(r) + ", " +
                                std::to_string(r) + "]");
  if (sigma.numel() != 1 && (sigma.dim() == 0 || sigma.numel() != x.size(0)))
    throw std::invalid_argument("sigma has " + std::to_string(sigma.numel()) + " values, allowed: 1 or the batch's " +
                                std::to_string(x.size(0)));
  if (!labels.defined()) return;
  if (config_.label_dim == 0) throw std::invalid_argument("labels were given to a network without classes");
  if (labels.dim() != 2 || labels.size(0) != x.size(0) || labels.size(1) != config_.label_dim)
    throw std::invalid_argument("labels have shape " + shape_text(labels) + ", this network needs [" +
                                std::to_string(x.size(0)) + ", " + std::to_string(config_.label_dim) + "]");
}

torch::Tensor class_rows(const torch::Tensor& classes, std::int64_t label_dim) {
  if (classes.numel() > 0 &&
      (classes.min().item<std::int64_t>() < 0 || classes.max().item<std::int64_t>() >= label_dim))
    throw std::invalid_argument("class index outside 0.." + std::to_string(label_dim - 1));
  return torch::one_hot(classes.to(torch::kInt64), label_dim).to(torch::kFloat32);
}

std::shared_ptr<EdmDenoiser> load_unet(const std::filesystem::path& path) {
  const TensorFile file = load_tensors(path);
  try {
    const UnetConfig config = parse_unet_config(file.metadata);
    require_weights(config, file.tensors);
    const auto network = std::make_shared<EdmDenoiser>(config);
    network->load_state(file.tensors);
    network->eval();
    for (torch::Tensor& parameter : network->parameters()) parameter.requires_grad_(false);
    return network;
  } catch (const std::runtime_error& error) {
    throw std::runtime_error(path.string() + ": " + error.what());
  }
}

}  // namespace fewstep::examples
