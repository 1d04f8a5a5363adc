#include "measure.hpp"
#include "sections.hpp"

#include "../../examples/commands/support/image_denoiser.hpp"

#include <fewstep/fewstep.hpp>
#include <fewstep/torch.hpp>

#include <torch/utils.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

namespace fewstep::benchmarks {

namespace {

using examples::ImageDenoiser;
using torch::Tensor;

constexpr std::int64_t batch = 16;

std::shared_ptr<ImageDenoiser> shipped_network() {
  return examples::load_denoiser(FEWSTEP_SOURCE_DIR "/examples/models/fashion_mnist.safetensors");
}

Tensor noise_for(const ImageDenoiser& network, torch::ScalarType type) {
  const auto& config = network.config();
  torch::manual_seed(1);
  return torch::randn({batch, config.img_channels, config.img_resolution, config.img_resolution}, type);
}

double seconds_of(const std::function<void()>& work) {
  const double start = cpu_seconds();
  work();
  return cpu_seconds() - start;
}

/// A run of `solver` against as many calls of the network at the same levels.
template <class S>
void against_bare_calls(const char* name, const S& solver) {
  const auto network = shipped_network();
  const Tensor noise = noise_for(*network, torch::kFloat32);
  const Schedule schedule = karras({.steps = 5});
  const auto denoise = [&](const Tensor& x, const Tensor& sigma) -> Tensor {
    return network->forward(x, sigma).denoised;
  };
  const auto run = [&] { sample(solver, denoise, schedule, noise); };
  const auto calls = [&] {
    const c10::InferenceMode no_gradients;
    for (std::size_t i = 0; i < schedule.steps(); ++i) {
      const Tensor sigma = torch::full({}, schedule[i], torch::kFloat64);
      network->forward(noise * schedule[i], sigma);
    }
  };
  const auto seconds =
      medians({{"run", [&] { return seconds_of(run); }}, {"calls", [&] { return seconds_of(calls); }}});
  std::printf("| %s | %.3f |\n", name, seconds[0] / seconds[1]);
}

struct Variant {
  std::string name;
  torch::ScalarType type;
  bool channels_last, narrow;  // narrow: computes in bfloat16
};

void evaluations_per_second() {
  const std::vector<Variant> variants = {{"LibTorch, float32", torch::kFloat32, false, false},
                                         {"LibTorch, float32, channels last", torch::kFloat32, true, false},
                                         {"LibTorch, bfloat16", torch::kFloat32, false, true},
                                         {"LibTorch, float64", torch::kFloat64, false, false}};
  std::vector<Candidate> candidates;
  for (const Variant& variant : variants) {
    const auto network = shipped_network();
    network->to(variant.type);
    network->channels_last = variant.channels_last;
    if (variant.narrow) network->compute_type = torch::kBFloat16;
    const Tensor x = noise_for(*network, variant.type), sigma = torch::full({}, 1., torch::kFloat64);
    candidates.push_back({variant.name, [network, x, sigma] {
                            const c10::InferenceMode no_gradients;
                            return seconds_of([&] { network->forward(x, sigma); });
                          }});
  }
  const auto seconds = medians(candidates);
  std::printf("| runtime and type | evaluations per second | relative to float32 |\n|---|---|---|\n");
  for (std::size_t i = 0; i < variants.size(); ++i)
    std::printf("| %s | %.0f | %.2f |\n", variants[i].name.c_str(), static_cast<double>(batch) / seconds[i],
                seconds[0] / seconds[i]);
}

}  // namespace

void network_time() {
  at::set_num_threads(1);
  std::printf("| run of 5 steps, batch %d | time relative to 5 bare network calls |\n|---|---|\n", int(batch));
  against_bare_calls("Euler", Euler{});
  against_bare_calls("iPNDM-3", Ipndm{.order = 3});
  against_bare_calls("UniPC-3", UniPc{});
  std::printf("\n");
  evaluations_per_second();
}

}  // namespace fewstep::benchmarks
