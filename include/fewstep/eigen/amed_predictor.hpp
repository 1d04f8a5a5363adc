#pragma once

#include "../plugin/amed_network.hpp"
#include "../plugin/predictor.hpp"
#include "algebra.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

namespace fewstep {

/// AMED's predictor (AmedNetwork has the formulas) for Eigen states, computed in double, sample by sample. Immutable:
/// threads may share it.
class AmedPredictor {
 public:
  static constexpr bool per_sample = true;

  /// @throws std::invalid_argument as AmedNetwork::validate().
  explicit AmedPredictor(AmedNetwork network) : network_(std::move(network)) { network_.validate(); }

  const AmedNetwork& network() const { return network_; }

  /// out <- the predictions for a step: one per sample, or shared by the batch without features and levels per sample.
  /// @param features  [network.features(), batch], those of the left end of the step; null: all are 0
  /// @throws std::invalid_argument for another number of features.
  template <State X>
  void operator()(const Step<X>& n, const Features<X>* features, Prediction<X>& out) const {
    if (features)
      require(static_cast<std::size_t>(features->rows()) == network_.features(), "the number of features",
              features->rows(), {network_.features(), ", as the predictor was trained with"});
    const bool shared = !features && !n.from.per_sample() && !n.to.per_sample();
    const Eigen::Index batch = shared ? 1 : features ? features->cols() : (std::max)(n.from.size(), n.to.size());
    const Workspace w = workspace();
    for (Eigen::Index b = 0; b < batch; ++b) {
      for (std::size_t i = 0; i < network_.features(); ++i)
        w.feature[i] = features ? static_cast<double>((*features)(static_cast<Eigen::Index>(i), b)) : 0.;
      const Values predicted = predict(n.from[b], n.to[b], w);
      set(out.ratio, shared || !network_.ratio, batch, b, predicted.ratio);
      set(out.direction_scale, shared || !network_.direction_scale, batch, b, predicted.direction_scale);
      set(out.sigma_scale, shared || !network_.sigma_scale, batch, b, predicted.sigma_scale);
    }
  }

 private:
  using Layer = AmedNetwork::Layer;
  struct Values {
    double ratio, direction_scale, sigma_scale;
  };

  /// Activations of one sample.
  struct Workspace {
    double *feature, *hidden, *waves, *outputs;
  };
  /// Returns memory of the calling thread, which grows to the largest network used: a step must not allocate, and
  /// threads may share this object.
  Workspace workspace() const {
    thread_local std::vector<double> numbers;
    const std::size_t f = network_.features(), h = network_.hidden(), w = 2 * network_.frequencies.size();
    const std::size_t needed = f + h + w + network_.outputs();
    if (numbers.size() < needed) numbers.resize(needed);
    double* first = numbers.data();
    return {first, first + f, first + f + h, first + f + h + w};
  }

  /// The predictions for the feature vector in w.feature, on a step between levels t and s.
  Values predict(double t, double s, const Workspace& w) const {
    const std::size_t code = network_.encode_1.outputs(), embedding = network_.embed.outputs();
    linear(network_.encode_0, w.feature, w.hidden);
    silu(w.hidden, network_.hidden());
    linear(network_.encode_1, w.hidden, w.outputs);
    embed(t, w.waves, w.outputs + code);
    embed(s, w.waves, w.outputs + code + embedding);
    constexpr double smallest = AmedNetwork::smallest_ratio;
    const double ratio = network_.ratio ? sigmoid(*network_.ratio, w.outputs) : 0.5;
    return {std::clamp(ratio, smallest, 1 - smallest),
            scale(network_.direction_scale, network_.direction_scale_range, w.outputs),
            scale(network_.sigma_scale, network_.sigma_scale_range, w.outputs)};
  }

  /// Adds four sums in parallel, since the additions of a single sum wait for each other.
  static double dot(const double* a, const double* b, std::size_t size) {
    constexpr std::size_t lanes = 4;
    double sum[lanes] = {};
    std::size_t i = 0;
    for (; i + lanes <= size; i += lanes)
      for (std::size_t k = 0; k < lanes; ++k) sum[k] += a[i + k] * b[i + k];
    for (; i < size; ++i) sum[0] += a[i] * b[i];
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
  }
  static void linear(const Layer& layer, const double* x, double* y) {
    for (std::size_t i = 0; i < layer.outputs(); ++i)
      y[i] = layer.bias[i] + dot(layer.weight.data() + i * layer.inputs(), x, layer.inputs());
  }
  static void silu(double* x, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) x[i] /= 1 + std::exp(-x[i]);
  }
  static double sigmoid(const Layer& head, const double* outputs) {
    return 1 / (1 + std::exp(-head.bias[0] - dot(head.weight.data(), outputs, head.weight.size())));
  }
  static double scale(const std::optional<Layer>& head, double range, const double* outputs) {
    return head ? 1 + range * (2 * sigmoid(*head, outputs) - 1) : 1;
  }
  /// out <- silu(embed [sin(t w), cos(t w)])
  void embed(double t, double* waves, double* out) const {
    const std::size_t n = network_.frequencies.size();
    for (std::size_t i = 0; i < n; ++i) {
      waves[i] = std::sin(t * network_.frequencies[i]);
      waves[n + i] = std::cos(t * network_.frequencies[i]);
    }
    linear(network_.embed, waves, out);
    silu(out, network_.embed.outputs());
  }

  template <class T>
  static void set(T& prediction, bool shared, Eigen::Index batch, Eigen::Index b, double value) {
    if (shared) prediction.set(value);
    else prediction.each(batch)[b] = value;
  }

  AmedNetwork network_;
};

}  // namespace fewstep
