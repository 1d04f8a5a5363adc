// The denoiser of a network for a run of diffusers' scheduler.
#pragma once

#include "../../denoisers/any_prediction.hpp"
#include "../../denoisers/preconditioned.hpp"
#include "scheduler.hpp"

#include <utility>

namespace fewstep::io {

/// The rule of Precondition for a run of diffusers' scheduler.
template <State X>
struct DiffusersNetwork : AnyPrediction {
  explicit DiffusersNetwork(DiffusersScheduler<X> run)
      : AnyPrediction{run.predicts, run.input, run.native_flow, run.sigma_data, run.edm_sign},
        scheduler(std::move(run)) {}

  DiffusersScheduler<X> scheduler;

  double label(double sigma) const { return scheduler.label(sigma); }
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
  return precondition(std::move(network), DiffusersNetwork<X>(std::move(scheduler)));
}

}  // namespace fewstep::io
