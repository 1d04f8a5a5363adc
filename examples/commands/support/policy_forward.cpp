#include "policy_forward.hpp"

#include "../../policy/network.hpp"

#include <ATen/Functions.h>

#include <cmath>
#include <cstdint>
#include <numbers>
#include <tuple>

namespace fewstep::examples {

using torch::Tensor;

PolicyWeights random_policy_weights() {
  constexpr std::int64_t width = 256, inputs = PolicyNetwork::inputs, outputs = plan_numbers;
  PolicyWeights weights;
  for (const auto& [name, in, out] : {std::tuple{"input", inputs, width}, std::tuple{"hidden_1", width, width},
                                      std::tuple{"hidden_2", width, width}, std::tuple{"output", width, outputs}}) {
    const double bound = 1 / std::sqrt(static_cast<double>(in));
    weights[name + std::string(".weight")] = torch::empty({out, in}).uniform_(-bound, bound);
    weights[name + std::string(".bias")] = torch::empty({out}).uniform_(-bound, bound);
  }
  return weights;
}

Tensor policy_forward(const PolicyWeights& weights, const Tensor& x, const Tensor& label, const Tensor& condition) {
  const auto layer = [&](const std::string& name, const Tensor& h) {
    return at::linear(h, weights.at(name + ".weight"), weights.at(name + ".bias"));
  };
  const Tensor rates = std::numbers::pi / 2 * torch::arange(1, static_cast<int>(PolicyNetwork::waves) + 1);
  const Tensor angles = label.to(torch::kFloat32).reshape({-1, 1}).expand({x.size(0), 1}) * rates;
  Tensor h = at::silu(layer("input", torch::cat({x, condition, angles.sin(), angles.cos()}, 1)));
  for (const char* name : {"hidden_1", "hidden_2"}) h = h + at::silu(layer(name, h));
  return layer("output", h);
}

}  // namespace fewstep::examples
