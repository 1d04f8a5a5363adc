// The denoiser of a network for a run of diffusers' scheduler.
#pragma once

#include "../../denoisers/preconditioned.hpp"
#include "scheduler.hpp"

#include <cmath>
#include <utility>

namespace fewstep::io {

/// The rule of Precondition for every prediction, input scale and label of diffusers' schedulers.
///
///   epsilon:  D = x - sigma F,   v:  D = alpha^2 x - n F,   sample:  D = F,   flow:  D = alpha x - n F,
///   edm:      D = (sd^2 x +- sigma sd sqrt(total) F)/total,   total = sigma^2 + sd^2
///
/// The network's input is alpha x; n is the noise in it: alpha sigma, or the flow's time; sd: sigma_data.
template <State X>
struct DiffusersNetwork {
  DiffusersScheduler<X> scheduler;

  double label(double sigma) const { return scheduler.label(sigma); }
  template <class T>
  auto in(const T& sigma) const {
    using std::sqrt;
    if (scheduler.predicts == Predicts::edm) return T(1. / sqrt(total(sigma)));
    return alpha(sigma);
  }
  template <class T>
  auto skip(const T& sigma) const {
    const T a = alpha(sigma), one = 1. + 0. * sigma;
    switch (scheduler.predicts) {
      case Predicts::epsilon: return one;
      case Predicts::v: return T(a * a);
      case Predicts::sample: return T(0. * sigma);
      case Predicts::flow: return a;
      default: return T(scheduler.sigma_data * scheduler.sigma_data / total(sigma));
    }
  }
  template <class T>
  auto out(const T& sigma) const {
    using std::sqrt;
    switch (scheduler.predicts) {
      case Predicts::epsilon: return T(-1. * sigma);
      case Predicts::sample: return T(1. + 0. * sigma);
      case Predicts::edm: return T(scheduler.edm_sign * scheduler.sigma_data * sigma / sqrt(total(sigma)));
      default: return T(-1. * sigma * (scheduler.native_flow ? T(1. + 0. * sigma) : alpha(sigma)));
    }
  }

 private:
  template <class T>
  T total(const T& sigma) const {
    return sigma * sigma + scheduler.sigma_data * scheduler.sigma_data;
  }
  template <class T>
  T alpha(const T& sigma) const {
    using std::sqrt;
    switch (scheduler.input) {
      case InputScale::variance_preserving: return 1. / sqrt(1. + sigma * sigma);
      case InputScale::flow: return 1. / (1. + sigma);
      default: return 1. + 0. * sigma;
    }
  }
};

/// Wraps a network into the denoiser that the run of an imported scheduler needs: sample(scheduler.solver,
/// diffusers_denoiser(network, scheduler), scheduler.schedule, noise, scheduler.options).
///
/// @param network    the raw network, (input, label) -> what it predicts, in any form of a denoiser; it gets
///                   the scaled input and diffusers' label (DiffusersScheduler::label)
/// @param scheduler  from from_diffusers(); copied
/// NFE per call: that of `network`.
template <class F, State X>
Preconditioned<F, DiffusersNetwork<X>> diffusers_denoiser(F network, DiffusersScheduler<X> scheduler) {
  return precondition(std::move(network), DiffusersNetwork<X>{std::move(scheduler)});
}

}  // namespace fewstep::io
