// Denoisers of flow matching networks: velocity u(x_t, t) = noise - x0 on x_t = (1 - t) x0 + t noise.
#pragma once

#include "../algebra.hpp"
#include "../processes/flow.hpp"
#include "preconditioned.hpp"

#include <cmath>
#include <utility>

namespace fewstep {

/// D = alpha x - t u(alpha x, label), alpha = 1 - t = 1/(1 + sigma); the sign of u is the other where noise is at 0.
struct FromFlow : Flow {
  template <class T>
  auto in(const T& sigma) const {
    return this->alpha(sigma);
  }
  template <class T>
  auto skip(const T& sigma) const {
    return this->alpha(sigma);
  }
  template <class T>
  auto out(const T& sigma) const {
    return (noise_at == NoiseAt::one ? -1. : 1.) * this->time(sigma);
  }
};

/// The same in the flow's own coordinates: D = x - t u(x, label).
struct FromFlowNative {
  Flow flow;

  template <class T>
  auto label(const T& t) const {
    return flow.noise_at == NoiseAt::one ? flow.label_scale * t : flow.label_scale * (1. - t);
  }
  template <class T>
  unit_t in(const T&) const {
    return unit;
  }
  template <class T>
  unit_t skip(const T&) const {
    return unit;
  }
  template <class T>
  auto out(const T& t) const {
    return (flow.noise_at == NoiseAt::one ? -1. : 1.) * t;
  }
  /// That of x_t/(1 - t), free of cancellation at t = 1, where it is 0.
  template <class T>
  auto analytic_first_step(const T& t) const {
    using std::sqrt;
    const auto root = sqrt((1. - t) * (1. - t) + t * t);
    return (1. - t) / (root * (root + t));
  }
};

/// A flow as a denoiser of x0 + sigma noise, sigma = t/(1 - t), so that every schedule, guidance interval and analytic
/// start means what it does for other models. Its t = 1 is sigma = infinity, which Schedule refuses: start a little
/// below, at Flow{}.sigma(0.99), say, or use from_flow_native.
/// @param network  (x_t, label) -> velocity dx_t/dt, in any form of a denoiser
/// @param flow  {.noise_at = NoiseAt::zero} for a network trained in the other direction, .label_scale = 1000 for SD3
/// @throws std::invalid_argument for a label_scale that is not positive.
template <class F>
Preconditioned<F, FromFlow> from_flow(F network, Flow flow = {}) {
  return precondition(std::move(network), FromFlow{detail::checked_process(flow)});
}

/// A flow in its own coordinates: the run's state is x_t and its level t, in (0, 1] from the noise whatever `noise_at`
/// says, e.g. Schedule({1, 0.75, 0.5, 0.25, 0}). The slope (x - D)/t is u itself, so Euler is the usual flow sampler;
/// solvers that count in log sigma (dpmpp) count in log t. Guidance intervals are in t. An analytic first step from t =
/// 1 has the slope x.
template <class F>
Preconditioned<F, FromFlowNative> from_flow_native(F network, Flow flow = {}) {
  return precondition(std::move(network), FromFlowNative{detail::checked_process(flow)});
}

}  // namespace fewstep
