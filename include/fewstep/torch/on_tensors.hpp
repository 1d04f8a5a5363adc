#pragma once

#include "../buffer/algebra.hpp"
#include "algebra.hpp"

#include <torch/types.h>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace fewstep {

/// A network on buffers (ONNX Runtime, OpenVINO) as a network on tensors. Tensors of other devices or types than
/// float32 on the CPU are copied; features are [B, numbers].
template <class Network>
struct OnTensors {
  Network network;

  bool operator()(const torch::Tensor& x, const Level<torch::Tensor>& label, torch::Tensor& out,
                  torch::Tensor& features) const {
    const torch::Tensor input = x.to(torch::kCPU, torch::kFloat32).contiguous();
    const torch::Tensor output = torch::empty_like(input);
    const auto samples = static_cast<std::size_t>(x.size(0)), numbers = static_cast<std::size_t>(x.numel());
    const auto of = [&](const torch::Tensor& t) {
      return Buffer<float>::view({t.data_ptr<float>(), numbers}, samples);
    };
    BufferLevel level(label.per_sample() ? 0 : label.value());
    if (label.per_sample()) {
      const torch::Tensor each = label.each().to(torch::kCPU, torch::kFloat64).expand({x.size(0)}).contiguous();
      level.each(samples).assign(each.data_ptr<double>(), each.data_ptr<double>() + samples);
    }
    Buffer<float> result = of(output), found;
    const bool has_features = network(of(input), level, result, found);
    out = output.to(x.options());
    if (has_features) {
      const auto count = static_cast<std::int64_t>(found.numbers());
      features = torch::from_blob(found.data(), {x.size(0), count}, torch::kFloat32).clone().to(x.options());
    }
    return has_features;
  }
};

template <class Network>
OnTensors<Network> on_tensors(Network network) {
  return {std::move(network)};
}

}  // namespace fewstep
