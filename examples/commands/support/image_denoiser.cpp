#include "image_denoiser.hpp"

#include "dit.hpp"
#include "metadata_reader.hpp"
#include "tensor_file.hpp"
#include "unet.hpp"

#include <torch/nn/module.h>

#include <cstdio>
#include <stdexcept>

namespace fewstep::examples {

namespace {

std::string shape_text(const torch::Tensor& tensor) {
  std::string text = "[";
  for (const std::int64_t extent : tensor.sizes()) text += (text.size() > 1 ? ", " : "") + std::to_string(extent);
  return text + "]";
}

/// Checks, before the network takes memory, that the file holds about as many numbers. A smaller difference is left to
/// load_state(), which names a tensor.
void require_weights(double least, const std::map<std::string, torch::Tensor>& tensors) {
  constexpr double tolerated = 1e6;
  double numbers = 0;
  for (const auto& [name, tensor] : tensors) numbers += static_cast<double>(tensor.numel());
  if (least <= 2 * numbers + tolerated) return;
  char text[120];
  std::snprintf(text, sizeof text, "the network has %.3g weights or more, the tensors hold %.3g numbers", least,
                numbers);
  throw std::runtime_error(text);
}

template <class Network, class Config>
std::shared_ptr<ImageDenoiser> network_for(const Config& config, const TensorFile& file) {
  require_weights(least_weights(config), file.tensors);
  return std::make_shared<Network>(config);
}

std::shared_ptr<ImageDenoiser> described_network(const TensorFile& file) {
  std::string type = UnetConfig().model_type;
  metadata::read(metadata::parsed_arch(file.metadata), "model_type", type);
  if (type == dit_model_type) return network_for<FlowDenoiser>(parse_dit_config(file.metadata), file);
  metadata::require(type == "SongUNet" || type == "DhariwalUNet", "model_type", type,
                    std::string("SongUNet, DhariwalUNet, ") + dit_model_type);
  return network_for<EdmDenoiser>(parse_unet_config(file.metadata), file);
}

}  // namespace

ImageDenoiser::ImageDenoiser(std::shared_ptr<torch::nn::Module> model)
    : module_(std::make_shared<torch::nn::Module>()) {
  module_->register_module("model", std::move(model));
}
ImageDenoiser::~ImageDenoiser() = default;

void ImageDenoiser::to(torch::Device device) { module_->to(device); }
void ImageDenoiser::to(torch::ScalarType type) { module_->to(type); }
void ImageDenoiser::train(bool on) { module_->train(on); }
bool ImageDenoiser::is_training() const { return module_->is_training(); }
std::vector<torch::Tensor> ImageDenoiser::parameters() const { return module_->parameters(); }

torch::ScalarType ImageDenoiser::weight_type() const { return module_->parameters().front().scalar_type(); }
torch::ScalarType ImageDenoiser::precise_type() const {
  return weight_type() == torch::kFloat64 ? torch::kFloat64 : torch::kFloat32;
}

ImageDenoiser::Output ImageDenoiser::forward(const torch::Tensor& x, const torch::Tensor& sigma,
                                             torch::Tensor labels) const {
  check_shapes(x, sigma, labels);
  const std::int64_t batch = x.size(0);
  // In float64, as these are few numbers. Only the final coefficients are cast.
  const torch::Tensor level = sigma.to(x.device(), torch::kFloat64).reshape({-1}).expand({batch});
  if (config().label_dim > 0) labels = label_rows(labels, batch, x.device());
  return evaluate(x, level, labels);
}

std::map<std::string, torch::Tensor> ImageDenoiser::state() const {
  std::map<std::string, torch::Tensor> tensors;
  for (const auto& entry : module_->named_parameters()) tensors.emplace(entry.key(), entry.value());
  for (const auto& entry : module_->named_buffers()) tensors.emplace(entry.key(), entry.value());
  return tensors;
}

void ImageDenoiser::load_state(const std::map<std::string, torch::Tensor>& tensors) {
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

torch::Tensor ImageDenoiser::label_rows(const torch::Tensor& labels, std::int64_t batch, torch::Device device) const {
  const ImageConfig& c = config();
  const auto options = torch::TensorOptions().device(device).dtype(weight_type());
  if (!labels.defined()) return torch::zeros({batch, c.label_dim}, options);
  if (is_training() && c.label_dropout > 0)
    return labels.to(options) * (torch::rand({batch, 1}, options) >= c.label_dropout);
  return labels.to(options);
}

void ImageDenoiser::check_shapes(const torch::Tensor& x, const torch::Tensor& sigma,
                                 const torch::Tensor& labels) const {
  const ImageConfig& c = config();
  const std::int64_t r = c.img_resolution;
  if (x.dim() != 4 || x.size(1) != c.img_channels || x.size(2) != r || x.size(3) != r)
    throw std::invalid_argument("x has shape " + shape_text(x) + ", this network needs [B, " +
                                std::to_string(c.img_channels) + ", " + std::to_string(r) + ", " + std::to_string(r) +
                                "]");
  if (sigma.numel() != 1 && (sigma.dim() == 0 || sigma.numel() != x.size(0)))
    throw std::invalid_argument("sigma has " + std::to_string(sigma.numel()) + " values, allowed: 1 or the batch's " +
                                std::to_string(x.size(0)));
  if (!labels.defined()) return;
  if (c.label_dim == 0) throw std::invalid_argument("labels were given to a network without classes");
  if (labels.dim() != 2 || labels.size(0) != x.size(0) || labels.size(1) != c.label_dim)
    throw std::invalid_argument("labels have shape " + shape_text(labels) + ", this network needs [" +
                                std::to_string(x.size(0)) + ", " + std::to_string(c.label_dim) + "]");
}

torch::Tensor class_rows(const torch::Tensor& classes, std::int64_t label_dim) {
  if (classes.numel() > 0 &&
      (classes.min().item<std::int64_t>() < 0 || classes.max().item<std::int64_t>() >= label_dim))
    throw std::invalid_argument("class index outside 0.." + std::to_string(label_dim - 1));
  return torch::one_hot(classes.to(torch::kInt64), label_dim).to(torch::kFloat32);
}

std::shared_ptr<ImageDenoiser> load_denoiser(const std::filesystem::path& path) {
  const TensorFile file = load_tensors(path);
  try {
    const std::shared_ptr<ImageDenoiser> network = described_network(file);
    network->load_state(file.tensors);
    network->eval();
    for (torch::Tensor& parameter : network->parameters()) parameter.requires_grad_(false);
    return network;
  } catch (const std::runtime_error& error) {
    throw std::runtime_error(path.string() + ": " + error.what());
  }
}

}  // namespace fewstep::examples
