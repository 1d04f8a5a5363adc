#pragma once

#include "../errors.hpp"
#include "noise_process.hpp"

#include <array>
#include <cmath>
#include <string_view>

namespace fewstep {

/// Which end of a flow's time is noise. Image models (Stable Diffusion 3, FLUX) have it at 1, many papers and robot
/// policies at 0: their velocity has the other sign.
enum class NoiseAt { one, zero };
constexpr std::array<std::string_view, 2> names_of(NoiseAt) { return {"one", "zero"}; }

/// Linear (rectified) flow x_t = (1 - t) x0 + t noise: sigma = t/(1 - t), infinite at t = 1. `sigma` and `time` count t
/// from the data whatever `noise_at` says; the label is label_scale t, or label_scale (1 - t) where noise is at 0
/// (Liu et al. 2022, arXiv 2209.03003; Lipman et al. 2022, arXiv 2210.02747; Esser et al. 2024, arXiv 2403.03206: scale
/// 1000).
struct Flow {
  NoiseAt noise_at = NoiseAt::one;
  double label_scale = 1;

  void validate() const {
    require(label_scale > 0 && std::isfinite(label_scale), "Flow::label_scale", label_scale, "positive numbers");
  }
  template <class T>
  auto sigma(const T& t) const {
    return t / (1. - t);
  }
  template <class T>
  auto time(const T& sigma) const {
    return sigma / (1. + sigma);
  }
  template <class T>
  auto label(const T& sigma) const {
    return noise_at == NoiseAt::one ? label_scale * (sigma / (1. + sigma)) : label_scale * (1. / (1. + sigma));
  }
  template <class T>
  auto alpha(const T& sigma) const {
    return 1. / (1. + sigma);
  }
};

}  // namespace fewstep
