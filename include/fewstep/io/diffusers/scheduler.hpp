// What the import of a scheduler returns.
#pragma once

#include "../../any_solver.hpp"
#include "../../denoisers/any_prediction.hpp"
#include "../../errors.hpp"
#include "../../options.hpp"
#include "../../processes/discrete.hpp"
#include "../../schedule.hpp"
#include "config.hpp"

#include <cmath>
#include <numbers>
#include <optional>
#include <string>
#include <vector>

namespace fewstep::io {

/// The label of a noise level, which is the network's second input: a training step, the flow's time, log(sigma)/4, or
/// 2/pi arctan(sigma).
enum class Label { training_step, flow_time, log_sigma, angle };

/// A solver with its schedule and options, the arguments of sample(), and what diffusers_denoiser() needs to know of
/// the network. Levels are sigma or, for a native flow, the flow's own time (from_flow_native).
template <State X>
struct DiffusersScheduler {
  AnySolver<X> solver;
  Schedule schedule;
  Options options = {};
  /// The factor of a pipeline's unit noise at the start: integrate(solver, denoiser, schedule, start_scale * latents,
  /// options) begins where diffusers' pipelines do. sample() takes the first level, as the noise process does.
  double start_scale = 1;
  /// The factor from the end of a run to a pipeline's samples, which keep the scale of the network's input: below 1
  /// where the last level is not 0.
  double end_scale = 1;
  Predicts predicts = Predicts::epsilon;
  bool native_flow = false;
  /// The levels that the network was trained at (its noise process is Discrete{*table}); empty for flows and EDM.
  std::optional<NoiseTable> table = {};
  /// Evaluations that diffusers makes at a repeated last level. They do not change the result and are omitted here.
  int idle_evaluations = 0;
  /// The network's label at each level of the schedule but the last: diffusers' timesteps.
  std::vector<double> labels = {};
  Label label_kind = Label::training_step;
  double label_scale = 1;  ///< of a flow's time: the number of training steps
  InputScale input = InputScale::variance_preserving;
  double sigma_data = 0.5;  ///< of EDM's networks
  double edm_sign = 1;      ///< of EDM's F: -1 for the prediction_type v_prediction
  /// Settings of the configuration that diffusers' class of that name does not read.
  std::vector<std::string> ignored = {};
  /// Where diffusers differs from the published method in this run; empty where it does not.
  std::vector<std::string> notes = {};

  /// Returns the network's label at a level, of the schedule or between.
  double label(double level) const {
    constexpr double same = 1e-12;  // relative
    for (std::size_t i = 0; i < labels.size(); ++i)
      if (std::abs(level - schedule[i]) <= same * level) return labels[i];
    switch (label_kind) {
      case Label::flow_time: return label_scale * (native_flow ? level : level / (1 + level));
      case Label::log_sigma: return 0.25 * std::log(level);
      case Label::angle: return 2 / std::numbers::pi * std::atan(level);
      default: return table ? Discrete{*table}.label(level) : level;
    }
  }
};

}  // namespace fewstep::io
