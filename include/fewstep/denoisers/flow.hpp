// Denoisers of flow matching networks, which predict the velocity u = noise - x0 of x_t = (1 - t) x0 + t noise.
#pragma once

#include "../algebra.hpp"
#include "../processes/flow.hpp"
#include "preconditioned.hpp"

#include <cmath>
#include <utility>

namespace fewstep {

/// D = alpha x - t u(alpha x, label), or alpha x + t u with noise at 0; alpha = 1 - t = 1/(1 + sigma).
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

/// D = x - t u(x, label), or x + t u with noise at 0: the same denoiser for states x_t at levels t.
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
  /// The weight of x_t in D for data ~ N(0, 1), in a form that is exact at t = 1, where it is 0.
  template <class T>
  auto analytic_first_step(const T& t) const {
    using std::sqrt;
    const auto root = sqrt((1. - t) * (1. - t) + t * t);
    return (1. - t) / (root * (root + t));
  }
};

/// The denoiser of a flow network for states x0 + sigma noise, with sigma = t/(1 - t).
///
/// Schedules, guidance intervals and the analytic first step work as for other models. The time t = 1 is sigma =
/// infinity, which a Schedule rejects: begin slightly below, for instance at Flow{}.sigma(0.99), or use
/// from_flow_native.
/// @param network  (x_t, label) -> velocity dx_t/dt, in any form of a denoiser
/// @param flow     {.noise_at = NoiseAt::zero} for networks with noise at 0; {.label_scale = 1000} for SD3
/// @throws std::invalid_argument for a label_scale out of range.
/// NFE per call: that of `network`.
template <class F>
Preconditioned<F, FromFlow> from_flow(F network, Flow flow = {}) {
  return precondition(std::move(network), FromFlow{detail::checked_process(flow)});
}

/// The denoiser of a flow network in the flow's own coordinates: states are x_t, levels are t.
///
/// Levels run from noise at 1 to data at 0 whatever flow.noise_at is, e.g. Schedule({1, 0.75, 0.5, 0.25, 0}). The slope
/// (x - D)/t is u, so Euler is the standard flow sampler. Solvers that work in log(sigma), such as Dpmpp, work in
/// log(t); guidance intervals are in t. An analytic first step from t = 1 has the slope x.
/// @param network, flow  as for from_flow
/// @throws std::invalid_argument for a label_scale out of range.
/// NFE per call: that of `network`.
template <class F>
Preconditioned<F, FromFlowNative> from_flow_native(F network, Flow flow = {}) {
  return precondition(std::move(network), FromFlowNative{detail::checked_process(flow)});
}

}  // namespace fewstep
