#pragma once

#include "../errors.hpp"
#include "noise_process.hpp"

#include <array>
#include <cmath>
#include <string_view>

namespace fewstep {

/// The time at which a flow's states are pure noise. Image models (Stable Diffusion 3, FLUX) have noise at 1. Many
/// papers and robot policies have it at 0; their velocity has the opposite sign.
enum class NoiseAt { one, zero };
constexpr std::array<std::string_view, 2> names_of(NoiseAt) { return {"one", "zero"}; }

/// Linear (rectified) flow x_t = (1 - t) x0 + t noise.
///
///   sigma = t/(1 - t),   alpha = 1 - t,   label = label_scale t, or label_scale (1 - t) with noise at 0
///
/// sigma() and time() always count t from the data at 0 to noise at 1; noise_at changes the label alone. The level at
/// t = 1 is infinite.
/// Source: Liu et al. 2022, arXiv 2209.03003; Lipman et al. 2022, arXiv 2210.02747; Esser et al. 2024, arXiv
/// 2403.03206.
struct Flow {
  NoiseAt noise_at = NoiseAt::one;
  double label_scale = 1;  ///< above 0; 1000 for Stable Diffusion 3

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
