#pragma once

#include "../plugin/amed_network.hpp"
#include "../plugin/predictor.hpp"
#include "algebra.hpp"

#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>

namespace fewstep {

/// AMED's predictor for Eigen states, computed in double, sample by sample. Features: one column per sample,
/// network.features() rows. No member changes after construction: may be shared between threads.
class AmedPredictor {
 public:
  static constexpr bool per_sample = true;

  /// @throws std::invalid_argument as AmedNetwork::validate.
  explicit AmedPredictor(AmedNetwork network) : network_(std::move(network)) { network_.validate(); }

  const AmedNetwork& network() const { return network_; }

  /// @throws std::invalid_argument for features of another size.
  template <State X>
  void operator()(const Step<X>& n, const Features<X>* features, Prediction<X>& out) const {
    if (features && static_cast<std::size_t>(features->rows()) != network_.features())
      require(false, "the number of features", features->rows(),
              std::to_string(network_.features()) + ", as the predictor was trained with");
    // Without features all samples of a shared step have one answer.
    const bool shared = !features && !n.from.per_sample() && !n.to.per_sample();
    const Eigen::Index batch = shared ? 1 : features ? features->cols() : (std::max)(n.from.size(), n.to.size());
    const Eigen::Index code = size(network_.encode_1.outputs()), level = size(network_.embed.outputs());
    Workspace now = workspace();
    for (Eigen::Index b = 0; b < batch; ++b) {
      if (features) now.feature = features->col(b).matrix().template cast<double>();
      else now.feature.setZero();
      linear(network_.encode_0, now.feature, now.hidden);
      silu(now.hidden);
      linear(network_.encode_1, now.hidden, now.outputs.head(code));
      embed(n.from[b], now.waves, now.outputs.segment(code, level));
      embed(n.to[b], now.waves, now.outputs.tail(level));
      const auto& o = now.outputs;
      const double ratio = network_.ratio ? sigmoid(*network_.ratio, o) : 0.5, least = AmedNetwork::least_ratio;
      set(out.ratio, shared || !network_.ratio, batch, b, std::clamp(ratio, least, 1 - least));
      set(out.direction_scale, shared || !network_.direction_scale, batch, b,
          scale(network_.direction_scale, network_.direction_scale_range, o));
      set(out.sigma_scale, shared || !network_.sigma_scale, batch, b,
          scale(network_.sigma_scale, network_.sigma_scale_range, o));
    }
  }

 private:
  using Layer = AmedNetwork::Layer;
  using Part = Eigen::Ref<Eigen::VectorXd>;

  /// One sample's numbers on their way through the network.
  struct Workspace {
    Eigen::Map<Eigen::VectorXd> feature, hidden, waves, outputs;
  };
  /// Each thread keeps what its largest network took: a step must take nothing, and members are shared between threads.
  Workspace workspace() const {
    thread_local Eigen::VectorXd numbers;
    const Eigen::Index f = size(network_.features()), h = size(network_.hidden()),
                       w = size(2 * network_.frequencies.size()), o = size(network_.outputs());
    if (numbers.size() < f + h + w + o) numbers.resize(f + h + w + o);
    double* first = numbers.data();
    return {{first, f}, {first + f, h}, {first + f + h, w}, {first + f + h + w, o}};
  }
  static Eigen::Index size(std::size_t n) { return static_cast<Eigen::Index>(n); }

  static void linear(const Layer& layer, const Part& x, Part y) {
    using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    y = Eigen::Map<const Eigen::VectorXd>(layer.bias.data(), y.size());
    y.noalias() += Eigen::Map<const RowMajor>(layer.weight.data(), y.size(), x.size()) * x;
  }
  static void silu(Part x) {
    for (double& v : x) v /= 1 + std::exp(-v);
  }
  static double sigmoid(const Layer& head, const Part& o) {
    return 1 / (1 + std::exp(-head.bias[0] - Eigen::Map<const Eigen::VectorXd>(head.weight.data(), o.size()).dot(o)));
  }
  static double scale(const std::optional<Layer>& head, double range, const Part& o) {
    return head ? 1 + range * (2 * sigmoid(*head, o) - 1) : 1;
  }
  template <class T>
  static void set(T& time, bool shared, Eigen::Index batch, Eigen::Index b, double value) {
    if (shared) time.set(value);
    else time.each(batch)[b] = value;
  }

  void embed(double t, Part waves, Part out) const {
    const Eigen::Index n = waves.size() / 2;
    for (Eigen::Index i = 0; i < n; ++i) {
      const double phase = t * network_.frequencies[static_cast<std::size_t>(i)];
      waves[i] = std::sin(phase);
      waves[n + i] = std::cos(phase);
    }
    linear(network_.embed, waves, out);
    silu(out);
  }

  AmedNetwork network_;
};

}  // namespace fewstep
