#pragma once

#include "../plugin/amed_network.hpp"
#include "../plugin/predictor.hpp"
#include "algebra.hpp"

#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <utility>

namespace fewstep {

/// AMED's predictor for Eigen states, computed in double, sample by sample. Features: one column per sample, network.features()
/// rows. No member changes after construction: may be shared between threads.
class AmedPredictor {
 public:
  static constexpr bool per_sample = true;

  /// @throws std::invalid_argument as AmedNetwork::validate, or for a layer of more than `widest` numbers.
  explicit AmedPredictor(AmedNetwork network) : network_(std::move(network)) {
    network_.validate();
    AmedNetwork::for_each_layer(network_, [](const std::string& name, const AmedNetwork::Layer& layer) {
      require(layer.inputs() <= widest && layer.outputs() <= widest, name + "'s size",
              (std::max)(layer.inputs(), layer.outputs()), "at most " + std::to_string(widest));
    });
  }

  const AmedNetwork& network() const { return network_; }

  /// @throws std::invalid_argument for features of another size.
  template <State X>
  void operator()(const Step<X>& n, const Features<X>* features, Prediction<X>& out) const {
    if (features && static_cast<std::size_t>(features->rows()) != network_.features())
      require(false, "the number of features", features->rows(), std::to_string(network_.features()) + ", as the predictor was trained with");
    // Without features all samples of a shared step have one answer.
    const bool shared = !features && !n.from.per_sample() && !n.to.per_sample();
    const Eigen::Index batch = shared ? 1 : features ? features->cols() : (std::max)(n.from.size(), n.to.size());
    for (Eigen::Index b = 0; b < batch; ++b) {
      Vector feature = Vector::Zero(static_cast<Eigen::Index>(network_.features()));
      if (features) feature = features->col(b).matrix().template cast<double>();
      const Vector o = outputs(feature, n.from[b], n.to[b]);
      const double ratio = network_.ratio ? sigmoid(*network_.ratio, o) : 0.5, least = AmedNetwork::least_ratio;
      set(out.ratio, shared, batch, b, std::clamp(ratio, least, 1 - least));
      set(out.direction, shared || !network_.direction, batch, b, scale(network_.direction, network_.direction_range, o));
      set(out.clock, shared || !network_.clock, batch, b, scale(network_.clock, network_.clock_range, o));
    }
  }

 private:
  static constexpr std::size_t widest = 1024;
  using Vector = Eigen::Matrix<double, Eigen::Dynamic, 1, 0, widest, 1>;  // on the stack
  using Layer = AmedNetwork::Layer;

  static Vector linear(const Layer& layer, const Vector& x) {
    using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    const auto out = static_cast<Eigen::Index>(layer.outputs()), in = static_cast<Eigen::Index>(layer.inputs());
    Vector y = Eigen::Map<const Eigen::VectorXd>(layer.bias.data(), out);
    y.noalias() += Eigen::Map<const RowMajor>(layer.weight.data(), out, in) * x;
    return y;
  }
  static Vector silu(Vector x) {
    for (double& v : x) v /= 1 + std::exp(-v);
    return x;
  }
  static double sigmoid(const Layer& head, const Vector& o) { return 1 / (1 + std::exp(-linear(head, o)[0])); }
  static double scale(const std::optional<Layer>& head, double range, const Vector& o) {
    return head ? 1 + range * (2 * sigmoid(*head, o) - 1) : 1;
  }
  template <class T>
  static void set(T& time, bool shared, Eigen::Index batch, Eigen::Index b, double value) {
    if (shared)
      time.set(value);
    else
      time.each(batch)[b] = value;
  }

  Vector embedding(double t) const {
    const auto n = static_cast<Eigen::Index>(network_.frequencies.size());
    Vector waves(2 * n);
    for (Eigen::Index i = 0; i < n; ++i) {
      const double phase = t * network_.frequencies[static_cast<std::size_t>(i)];
      waves[i] = std::sin(phase);
      waves[n + i] = std::cos(phase);
    }
    return silu(linear(network_.embed, waves));
  }

  Vector outputs(const Vector& feature, double t, double s) const {
    const Vector code = linear(network_.encode_1, silu(linear(network_.encode_0, feature)));
    Vector o(static_cast<Eigen::Index>(network_.outputs()));
    o << code, embedding(t), embedding(s);
    return o;
  }

  AmedNetwork network_;
};

}  // namespace fewstep
