// The weights of AMED's predictor as plain numbers, as files store them and every backend reads them.
#pragma once

#include "../errors.hpp"

#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace fewstep {

/// The network of AMED's predictor, evaluated per sample.
///
///   code = encode_1 silu(encode_0 f),   emb(t) = silu(embed [sin(t w), cos(t w)]),   o = [code, emb(t), emb(s)],
///   ratio = sigmoid(head o),   direction_scale, sigma_scale = 1 + range (2 sigmoid(head o) - 1)
///
/// f: feature vector of the sample, 0 without features (analytic first step); t, s: noise levels of the step;
/// w: `frequencies`. Each prediction has a head of its own; without it the ratio is 1/2 and a scale 1. The ratio is
/// clamped to [smallest_ratio, 1 - smallest_ratio], since multistep solvers divide by the distance between levels.
/// Source: Zhou et al. 2024, arXiv 2312.00094; diff-sampler, training/networks.py.
struct AmedNetwork {
  /// y = weight x + bias, with weight row-major [outputs, inputs].
  struct Layer {
    std::vector<double> weight, bias;
    std::size_t inputs() const { return bias.empty() ? 0 : weight.size() / bias.size(); }
    std::size_t outputs() const { return bias.size(); }
  };

  static constexpr double smallest_ratio = 1e-4;  ///< smallest ratio that is predicted

  Layer encode_0;                                           ///< features -> hidden
  Layer encode_1;                                           ///< hidden -> code
  Layer embed;                                              ///< 2 * frequencies -> embedding of a level
  std::vector<double> frequencies;                          ///< w: radians per unit of sigma
  std::optional<Layer> ratio;                               ///< head with one output
  std::optional<Layer> direction_scale;                     ///< head with one output
  std::optional<Layer> sigma_scale;                         ///< head with one output
  double direction_scale_range = 0, sigma_scale_range = 0;  ///< in [0, 1); 0 exactly where the head is absent

  /// Calls f(name, layer) for each layer that the network has. Files use these names, those of the published code.
  template <class Self, class F>
  static void for_each_layer(Self& self, F f) {
    f("enc_layer0", self.encode_0);
    f("enc_layer1", self.encode_1);
    f("map_layer0", self.embed);
    if (self.ratio) f("fc_r", *self.ratio);
    if (self.direction_scale) f("fc_scale_dir", *self.direction_scale);
    if (self.sigma_scale) f("fc_scale_time", *self.sigma_scale);
  }

  std::size_t features() const { return encode_0.inputs(); }                        ///< numbers in f
  std::size_t hidden() const { return encode_0.outputs(); }                         ///< numbers in encode_0 f
  std::size_t outputs() const { return encode_1.outputs() + 2 * embed.outputs(); }  ///< numbers in o

  /// @throws std::invalid_argument naming a layer whose size does not fit the other layers, a weight that is not
  /// finite, or a range outside [0, 1).
  void validate() const {
    for_each_layer(*this, [&](const std::string& name, const Layer& layer) { validate(name, layer); });
    validate("direction_scale_range", direction_scale_range, direction_scale.has_value());
    validate("sigma_scale_range", sigma_scale_range, sigma_scale.has_value());
  }

 private:
  void validate(const std::string& name, const Layer& layer) const {
    const bool head = name.starts_with("fc_");
    const std::size_t inputs = head                   ? outputs()
                               : name == "enc_layer1" ? hidden()
                               : name == "map_layer0" ? 2 * frequencies.size()
                                                      : features();
    require(layer.outputs() > 0 && (!head || layer.outputs() == 1), {name, "'s outputs"}, layer.outputs(),
            head ? "1" : "1 or more");
    require(inputs > 0 && layer.weight.size() == inputs * layer.outputs(), {name, "'s weights"}, layer.weight.size(),
            {layer.outputs(), " x ", inputs});
    for (const auto* part : {&layer.weight, &layer.bias})
      for (const double w : *part) require(std::isfinite(w), {"a weight of ", name}, w, "finite numbers");
  }
  static void validate(const char* name, double range, bool has_head) {
    require(range >= 0 && range < 1 && (range > 0) == has_head, name, range,
            has_head ? "numbers between 0 and 1" : "0 without its head");
  }
};

}  // namespace fewstep
