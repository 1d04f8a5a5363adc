// The policy's network in plain C++: a multilayer perceptron with EDM's preconditioning around it.
#pragma once

#include "task.hpp"

#include <fewstep/array/values.hpp>
#include <fewstep/io/file_error.hpp>
#include <fewstep/io/safetensors.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <numbers>
#include <numeric>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace fewstep::examples {

/// F(x, label, condition) -> [112], the raw network of edm_preconditioned(network, PolicyNetwork::sigma_data).
///
///   h = silu(input([x, condition, sin(k pi/2 label), cos(k pi/2 label)])), k = 1 to 8
///   h = h + silu(hidden_i(h)), i = 1, 2
///   F = output(h)
class PolicyNetwork {
 public:
  static constexpr double sigma_data = 0.5;
  static constexpr std::size_t waves = 8, inputs = plan_numbers + condition_numbers + 2 * waves;

  /// @throws std::runtime_error for a file that holds no such network.
  explicit PolicyNetwork(const std::filesystem::path& path) {
    const io::Safetensors file = io::read_safetensors(path);
    try {
      read(file);
    } catch (const std::runtime_error& error) {
      throw io::file_error(path, error.what());
    }
  }

  /// @param x          [112]
  /// @param condition  [14]; zeros: unconditional
  /// @param out        [112]
  void operator()(const float* x, float label, const float* condition, float* out) const {
    std::vector<float> h(x, x + plan_numbers);
    h.insert(h.end(), condition, condition + condition_numbers);
    const float rate = std::numbers::pi_v<float> / 2 * label;
    for (std::size_t k = 1; k <= waves; ++k) h.push_back(std::sin(static_cast<float>(k) * rate));
    for (std::size_t k = 1; k <= waves; ++k) h.push_back(std::cos(static_cast<float>(k) * rate));
    h = silu(layers_[0](h));
    for (const std::size_t i : {1u, 2u}) {
      const std::vector<float> more = silu(layers_[i](h));
      for (std::size_t k = 0; k < h.size(); ++k) h[k] += more[k];
    }
    std::ranges::copy(layers_[3](h), out);
  }

 private:
  struct Layer {
    std::vector<float> weight, bias;  // weight: [outputs, inputs]

    std::vector<float> operator()(const std::vector<float>& x) const {
      std::vector<float> y(bias.size());
      const float* row = weight.data();
      for (std::size_t i = 0; i < y.size(); ++i, row += x.size())
        y[i] = std::inner_product(x.begin(), x.end(), row, bias[i]);
      return y;
    }
  };

  void read(const io::Safetensors& file) {
    std::size_t width = inputs;
    for (const std::string name : {"input", "hidden_1", "hidden_2", "output"}) {
      Layer layer{values_of<float>(file.tensor(name + ".weight")), values_of<float>(file.tensor(name + ".bias"))};
      if (layer.weight.size() != width * layer.bias.size())
        throw std::runtime_error("tensor " + name + ".weight has another shape");
      width = layer.bias.size();
      layers_.push_back(std::move(layer));
    }
    const auto outputs = [this](std::size_t i) { return layers_[i].bias.size(); };
    if (outputs(0) != outputs(1) || outputs(0) != outputs(2) || width != plan_numbers)
      throw std::runtime_error("not a network of train_policy");
  }

  static std::vector<float> silu(std::vector<float> x) {
    for (float& v : x) v /= 1 + std::exp(-v);
    return x;
  }

  std::vector<Layer> layers_;
};

}  // namespace fewstep::examples
