// The noise process of an exported model.
#pragma once

#include "../../denoisers/any_prediction.hpp"
#include "../../enum_names.hpp"
#include "../../errors.hpp"
#include "../../processes/discrete.hpp"
#include "../../processes/flow.hpp"
#include "../../processes/noise_table.hpp"
#include "../../processes/vp_linear.hpp"

#include <array>
#include <cmath>
#include <numbers>
#include <optional>
#include <string_view>

namespace fewstep::io {

/// How a model's training data were noised; see processes/.
enum class ModelProcess { edm, ve, vp, discrete, flow };
constexpr std::array<std::string_view, 5> names_of(ModelProcess) { return {"edm", "ve", "vp", "discrete", "flow"}; }

/// What a network takes for a noise level: sigma, ln(sigma)/4, the training step, the training time, or
/// 2/pi arctan(sigma).
enum class ModelLabel { sigma, log_sigma, step, time, angle };
constexpr std::array<std::string_view, 5> names_of(ModelLabel) {
  return {"sigma", "log_sigma", "step", "time", "angle"};
}

/// What a network predicts, in which process, with which label; a rule of Precondition.
struct ModelRule : AnyPrediction {
  ModelProcess process = ModelProcess::edm;
  ModelLabel labels = ModelLabel::sigma;
  double label_scale = 1;                ///< of sigma, and of the time; 1000 for Stable Diffusion 3
  bool rounded_steps = false;            ///< for a network that takes whole training steps only
  std::optional<NoiseTable> table = {};  ///< of the process discrete
  VpLinear vp = {};                      ///< of the process vp
  NoiseAt noise_at = NoiseAt::one;       ///< of the process flow

  double label(double sigma) const {
    switch (labels) {
      case ModelLabel::sigma: return label_scale * sigma;
      case ModelLabel::log_sigma: return 0.25 * std::log(sigma);
      case ModelLabel::step: return Discrete{betas(), rounded_steps}.label(sigma);
      case ModelLabel::angle: return 2 / std::numbers::pi * std::atan(sigma);
      default: return label_scale * time(sigma);
    }
  }

  /// The levels between which the network was trained, the highest one finite.
  double sigma_min() const {
    constexpr double edm_lowest = 0.002, first_time = 1e-3;
    switch (process) {
      case ModelProcess::discrete: return betas().sigma_min();
      case ModelProcess::vp: return vp.sigma(first_time);
      case ModelProcess::flow: return Flow{}.sigma(first_time);
      default: return edm_lowest;
    }
  }
  double sigma_max() const {
    constexpr double edm_highest = 80, last_time = 0.999;
    switch (process) {
      case ModelProcess::discrete: return betas().sigma_max();
      case ModelProcess::vp: return vp.sigma(1.);
      case ModelProcess::flow: return Flow{}.sigma(last_time);
      default: return edm_highest;
    }
  }

  /// @throws std::invalid_argument for parts that do not go together.
  void validate() const {
    const bool preserving = process == ModelProcess::vp || process == ModelProcess::discrete;
    const auto needs = [&](bool good, std::string_view what, std::string_view value, std::string_view allowed) {
      require(good, what, value, {allowed, ", in the process ", to_string(process)});
    };
    needs(predicts != Predicts::v || preserving, "predicts", "v", "epsilon, x0, flow or edm");
    needs(predicts != Predicts::flow || process == ModelProcess::flow, "predicts", "flow", "epsilon, x0, v or edm");
    needs(predicts != Predicts::edm || process == ModelProcess::edm, "predicts", "edm", "epsilon, x0, v or flow");
    needs(labels != ModelLabel::step || table, "label", "step", "sigma, log_sigma, time or angle");
    needs(labels != ModelLabel::time || preserving || process == ModelProcess::flow, "label", "time",
          "sigma, log_sigma or angle");
    require(label_scale > 0 && std::isfinite(label_scale), "label.scale", label_scale, "positive numbers");
    require(sigma_data > 0 && std::isfinite(sigma_data), "sigma_data", sigma_data, "positive numbers");
    vp.validate();
  }

 private:
  const NoiseTable& betas() const {
    if (!table) refuse("table", "missing", "that of the process discrete");
    return *table;
  }
  double time(double sigma) const {
    if (process == ModelProcess::vp) return vp.time(sigma);
    if (process == ModelProcess::discrete) return betas().time(sigma);
    return Flow{noise_at}.label(sigma);
  }
};

}  // namespace fewstep::io
