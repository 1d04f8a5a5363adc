// The weights of AMED's time predictor as numbers, without a library: what a file holds and every backend computes
// with.
#pragma once

#include "../errors.hpp"

#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

namespace fewstep {

/// The time predictor of AMED: per sample, from its feature f and the noise levels t and s of a step,
///   code = encode_1 silu(encode_0 f),   emb(t) = silu(embed [sin(t w), cos(t w)]),   o = [code, emb(t), emb(s)],
///   ratio = sigmoid(head o),   direction_scale, sigma_scale = 1 + range (2 sigmoid(head o) - 1)
/// The ratio is kept within [least_ratio, 1 - least_ratio]: levels that coincide would divide by zero in multistep
/// solvers. A head that is absent leaves its value at 1/2 (ratio) or 1. No feature (analytic start) counts as zeros.
/// Source: Zhou et al. 2024, arXiv 2312.00094; diff-sampler, training/networks.py.
struct AmedNetwork {
  /// y = weight x + bias, weight row-major [bias.size(), inputs].
  struct Layer {
    std::vector<double> weight, bias;
    std::size_t inputs() const { return bias.empty() ? 0 : weight.size() / bias.size(); }
    std::size_t outputs() const { return bias.size(); }
  };

  static constexpr double least_ratio = 1e-4;

  Layer encode_0, encode_1, embed;
  std::vector<double> frequencies;  // w
  std::optional<Layer> ratio, direction_scale, sigma_scale;
  double direction_scale_range = 0, sigma_scale_range = 0;

  /// The names of layers in files are those of the published code.
  template <class Self, class F>
  static void for_each_layer(Self& self, F f) {
    f("enc_layer0", self.encode_0);
    f("enc_layer1", self.encode_1);
    f("map_layer0", self.embed);
    if (self.ratio) f("fc_r", *self.ratio);
    if (self.direction_scale) f("fc_scale_dir", *self.direction_scale);
    if (self.sigma_scale) f("fc_scale_time", *self.sigma_scale);
  }

  std::size_t features() const { return encode_0.inputs(); }
  std::size_t hidden() const { return encode_0.outputs(); }
  std::size_t outputs() const { return encode_1.outputs() + 2 * embed.outputs(); }

  /// @throws std::invalid_argument naming the layer whose size does not fit the others, or a weight that is not finite.
  void validate() const {
    for_each_layer(*this, [&](const std::string& name, const Layer& layer) {
      const bool head = name.starts_with("fc_");
      const std::size_t inputs = head                   ? outputs()
                                 : name == "enc_layer1" ? hidden()
                                 : name == "map_layer0" ? 2 * frequencies.size()
                                                        : features();
      require(layer.outputs() > 0 && (!head || layer.outputs() == 1), name + "'s outputs", layer.outputs(),
              head ? "1" : "1 or more");
      require(inputs > 0 && layer.weight.size() == inputs * layer.outputs(), name + "'s weights", layer.weight.size(),
              std::to_string(layer.outputs()) + " x " + std::to_string(inputs));
      for (const auto* part : {&layer.weight, &layer.bias})
        for (const double w : *part) require(std::isfinite(w), "a weight of " + name, w, "finite numbers");
    });
    for (const auto& [name, range, head] :
         {std::tuple{"direction_scale_range", direction_scale_range, direction_scale.has_value()},
          std::tuple{"sigma_scale_range", sigma_scale_range, sigma_scale.has_value()}})
      require(range >= 0 && range < 1 && (range > 0) == head, name, range,
              head ? "numbers between 0 and 1" : "0 without its head");
  }
};

}  // namespace fewstep
