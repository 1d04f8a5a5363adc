#include "network.hpp"

#include <fewstep/torch/noise.hpp>

#include <torch/cuda.h>

#include <stdexcept>
#include <utility>

namespace fewstep::examples {

torch::Device parse_device(const std::string& name) {
  const auto fail = [&](const std::string& allowed) {
    throw std::invalid_argument("device is " + name + "; allowed: " + allowed);
  };
  if (name == "cpu") return torch::kCPU;
  if (name != "cuda" && !name.starts_with("cuda:")) fail("cpu, cuda, cuda:0, cuda:1, ...");
  const auto count = torch::cuda::is_available() ? static_cast<int>(torch::cuda::device_count()) : 0;
  if (count == 0) fail("cpu (this LibTorch sees no GPU)");
  int index = 0;
  if (name != "cuda") {
    const std::string digits = name.substr(5);
    if (digits.empty() || digits.size() > 3 || digits.find_first_not_of("0123456789") != digits.npos)
      fail("cuda:0, ...");
    index = std::stoi(digits);
  }
  if (index >= count) fail("cuda:0 to cuda:" + std::to_string(count - 1));
  return {torch::kCUDA, static_cast<torch::DeviceIndex>(index)};
}

torch::Tensor noise_of(const std::vector<std::uint64_t>& numbers, const ImageConfig& c, torch::Device device) {
  return tensor_noise(numbers, {c.img_channels, c.img_resolution, c.img_resolution}, torch::TensorOptions(device));
}

std::shared_ptr<ImageDenoiser> load_network(const NetworkOptions& o) {
  const torch::Device place = parse_device(o.device);
  auto network = load_denoiser(o.model);
  network->to(place);
  if (o.dtype == "float64") network->to(torch::kFloat64);
  // Half precision is for the network only: the last steps change the state by less than such a type can represent.
  if (o.dtype == "bfloat16" || o.bf16) network->compute_type = torch::kBFloat16;
  if (o.dtype == "float16") network->compute_type = torch::kHalf;
  return network;
}

Network observed(std::shared_ptr<const ImageDenoiser> network, AroundEvaluation around) {
  return [network = std::move(network), around = std::move(around)](const torch::Tensor& x, const torch::Tensor& sigma,
                                                                    const torch::Tensor& labels) {
    if (!around) return network->forward(x, sigma, labels);
    ImageDenoiser::Output output;
    around(x, [&] { output = network->forward(x, sigma, labels); });
    return output;
  };
}

}  // namespace fewstep::examples
