#include "network.hpp"

#include "signals.hpp"

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

void NetworkOptions::add_model(CommandLine& line, bool described) {
  line.option("--model", model,
              described ? "weights of the network (.safetensors), or the description of an exported one (.json)"
                        : "weights of the network (.safetensors)")
      .required();
}

void NetworkOptions::add_device(CommandLine& line) {
  line.option("--device", device, "cpu, cuda, cuda:1, ...");
  line.flag("--bf16", bf16, "run the network in bfloat16");
}

void NetworkOptions::add_device_and_dtype(CommandLine& line) {
  line.option("--device", device, "cpu, cuda, cuda:1, ...");
  line.option("--dtype", dtype, "type that the network computes in")
      .one_of({"float32", "float64", "bfloat16", "float16"});
}

std::shared_ptr<EdmDenoiser> NetworkOptions::load() const {
  const torch::Device place = parse_device(device);
  auto network = load_unet(model);
  network->to(place);
  if (dtype == "float64") network->to(torch::kFloat64);
  // Half precision is for the network only: the last steps change the state by less than such a type can represent.
  if (dtype == "bfloat16" || bf16) network->compute_type = torch::kBFloat16;
  if (dtype == "float16") network->compute_type = torch::kHalf;
  return network;
}

Network observed(std::shared_ptr<const EdmDenoiser> network, AroundEvaluation around) {
  return [network = std::move(network), around = std::move(around)](const torch::Tensor& x, const torch::Tensor& sigma,
                                                                    const torch::Tensor& labels) {
    if (!around) return network->forward(x, sigma, labels);
    EdmDenoiser::Output output;
    around(x, [&] { output = network->forward(x, sigma, labels); });
    return output;
  };
}

AroundEvaluation interruptible() {
  return [](const torch::Tensor&, const std::function<void()>& evaluate) {
    throw_if_interrupted();
    evaluate();
  };
}

CallTimer::CallTimer(bool wait, CallTimes& times) : wait_(wait), times_(&times) {
  if (wait_) torch::cuda::synchronize();
  start_ = std::chrono::steady_clock::now();
}

CallTimer::~CallTimer() {
  if (wait_) torch::cuda::synchronize();
  times_->seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  ++times_->calls;
}

AroundEvaluation timed(Progress& progress, CallTimes& times) {
  return [&progress, &times](const torch::Tensor& x, const std::function<void()>& evaluate) {
    throw_if_interrupted();
    {
      const CallTimer timer(x.is_cuda(), times);
      evaluate();
    }
    progress.update(times.calls);
  };
}

}  // namespace fewstep::examples
