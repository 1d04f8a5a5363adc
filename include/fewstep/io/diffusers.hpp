// A scheduler of diffusers from its scheduler_config.json.
#pragma once

#include "../any_solver.hpp"
#include "../run.hpp"
#include "../schedule.hpp"
#include "../solvers/compat.hpp"
#include "../solvers/deis.hpp"
#include "../solvers/dpm_solver_2.hpp"
#include "../solvers/dpmpp.hpp"
#include "../solvers/euler.hpp"
#include "../solvers/heun.hpp"
#include "../solvers/ipndm.hpp"
#include "../unknown_name.hpp"
#include "diffusers/config.hpp"
#include "diffusers/levels.hpp"
#include "diffusers/solvers.hpp"

#include <nlohmann/json.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fewstep::io {

/// A solver with its schedule and options, the arguments of sample(). Levels are sigma or, for a native flow, the
/// flow's own time (from_flow_native).
template <State X>
struct DiffusersScheduler {
  AnySolver<X> solver;
  Schedule schedule;
  Options options = {};
  Predicts predicts = Predicts::epsilon;
  bool native_flow = false;
  /// The levels that the network was trained at (its noise process is Discrete{*table}); empty for flows and EDM.
  std::optional<NoiseTable> table = {};
  /// Evaluations that diffusers makes at a repeated last level. They do not change the result and are omitted here.
  int idle_evaluations = 0;
};

namespace detail {

/// How a scheduler treats the denoised image.
struct DiffusersTraits {
  bool thresholds = true;         // by Options::thresholding; false: by the solver, or not at all
  bool alters_last_step = false;  // the solver clips or extrapolates in a step to level 0 too
};

template <State X>
class DiffusersImport {
 public:
  DiffusersImport(const nlohmann::json& config, int steps, double mu, std::vector<double> sigmas)
      : config_(config),
        steps_(steps),
        mu_(mu),
        sigmas_(std::move(sigmas)),
        name_(config_.get("_class_name", std::string())) {
    require(steps >= 1 && steps <= most_training_steps, "num_inference_steps", steps, {"1 to ", most_training_steps});
  }

  DiffusersScheduler<X> make() {
    using Self = DiffusersImport;
    struct Scheduler {
      std::string_view name;
      DiffusersScheduler<X> (*make)(Self&);
    };
    static constexpr Scheduler schedulers[]{
        {"DDIMScheduler", [](Self& s) { return s.ddim(); }},
        {"DEISMultistepScheduler",
         [](Self& s) {
           return s.finish(diffusers_deis<X>(s.config_, s.steps_),
                           s.discrete({.multistep = true, .ends_at_smallest = true}));
         }},
        {"DPMSolverMultistepScheduler",
         [](Self& s) { return s.finish(diffusers_dpm<X>(s.config_, s.steps_), s.discrete({.multistep = true})); }},
        {"EDMDPMSolverMultistepScheduler",
         [](Self& s) { return s.finish(diffusers_dpm<X>(s.config_, s.steps_), edm_levels(s.config_, s.steps_)); }},
        {"EDMEulerScheduler", [](Self& s) { return s.finish(Euler{}, edm_levels(s.config_, s.steps_)); }},
        {"EulerDiscreteScheduler", [](Self& s) { return s.finish(Euler{}, s.discrete()); }},
        {"FlowMatchEulerDiscreteScheduler", [](Self& s) { return s.flow_match(); }},
        {"HeunDiscreteScheduler", [](Self& s) { return s.finish(Heun{}, s.discrete()); }},
        {"IPNDMScheduler", [](Self& s) { return s.ipndm(); }},
        {"KDPM2DiscreteScheduler", [](Self& s) { return s.finish(DpmSolver2{}, s.discrete()); }},
        {"LMSDiscreteScheduler", [](Self& s) { return s.finish(Deis{4, Variable::sigma}, s.discrete()); }},
        {"UniPCMultistepScheduler",
         [](Self& s) { return s.finish(diffusers_unipc<X>(s.config_), s.discrete({.multistep = true})); }}};
    std::vector<std::string> known;
    for (const Scheduler& scheduler : schedulers) {
      if (scheduler.name == name_) return scheduler.make(*this);
      known.emplace_back(scheduler.name);
    }
    fewstep::detail::unknown_name("_class_name", name_, known);
  }

 private:
  const NoiseTable& table() {
    if (!table_) table_ = diffusers_noise_table(config_);
    return *table_;
  }
  DiffusersLevels discrete(const DiscreteRules& rules = {}) { return discrete_levels(config_, table(), steps_, rules); }

  /// Clipping changes the denoised image but not the noise (compat::ClippedDdim).
  DiffusersScheduler<X> ddim() {
    const Spacing spacing = diffusers_spacing(config_, Spacing::leading);
    const DdimLevels made = ddim_levels(config_, table(), steps_, spacing);
    const bool thresholds = diffusers_thresholds(config_), clips = config_.get("clip_sample", true) || thresholds;
    if (clips) {
      const double largest = config_.get("sample_max_value", 1.);
      require(!thresholds || largest == 1, "sample_max_value", largest, "1 for DDIMScheduler with thresholding");
      require(spacing != Spacing::linspace, "clip_sample", true, "false with the timestep_spacing linspace");
      const double limit = thresholds ? 1 : config_.get("clip_sample_range", 1.);
      return finish(compat::ClippedDdim{limit}, made.run, {.thresholds = false, .alters_last_step = true});
    }
    if (spacing == Spacing::linspace) return finish(compat::StridedDdim{made.reached}, made.run, {.thresholds = false});
    return finish(Dpmpp{.order = 1}, made.run, {.thresholds = false});  // in denoised form, for a first level of 1e14
  }

  DiffusersScheduler<X> ipndm() {
    DiffusersScheduler<X> made = finish(Ipndm{}, ipndm_levels(steps_), {.alters_last_step = true});
    made.options.analytic_first_step = true;
    made.idle_evaluations = 1;
    return made;
  }

  DiffusersScheduler<X> flow_match() {
    return {Euler{}, Schedule(flow_match_times(config_, steps_, mu_, sigmas_)), {}, Predicts::flow, true};
  }

  DiffusersScheduler<X> finish(AnySolver<X> solver, DiffusersLevels made, const DiffusersTraits& traits = {}) {
    constexpr double nearly_zero = 1e-14;  // of the last level
    solver.validate();
    DiffusersScheduler<X> all{solver, Schedule({1, 0}), {}, diffusers_prediction(config_), false, table_};
    if (made.end == made.levels.back()) {
      // Diffusers' last step has length 0 but counts as a step to its solvers, so the schedule gets a level that no run
      // reaches.
      all.idle_evaluations = 1;
      all.options.last_step = made.levels.size() - 1;
      made.end = made.levels.back() / 2;
    }
    const bool thresholds = traits.thresholds && diffusers_thresholds(config_);
    // A step to level 0 returns the model's denoised image. A step to nearly 0 is the solver's own.
    const bool own_last_step = made.end == 0 && (thresholds || traits.alters_last_step);
    made.levels.push_back(own_last_step ? nearly_zero * made.levels.back() : made.end);
    all.schedule = Schedule(made.levels);
    if (thresholds)
      all.options.thresholding = Thresholding{config_.get("dynamic_thresholding_ratio", 0.995, 0., 1.), 1,
                                              config_.get("sample_max_value", 1.)};
    return all;
  }

  JsonSettings config_;
  int steps_;
  double mu_;
  std::vector<double> sigmas_;
  std::string name_;
  std::optional<NoiseTable> table_ = {};
};

}  // namespace detail

/// Imports a scheduler of diffusers 0.40. Supported classes: DDIM, DEIS, DPM-Solver multistep, Euler, Heun, KDPM2, LMS,
/// UniPC, EDM's Euler and DPM-Solver, FlowMatchEuler and IPNDM, without their random variants.
///
/// @param config               the content of scheduler_config.json; absent settings take diffusers' defaults, settings
///                             of other schedulers are ignored
/// @param num_inference_steps  as for diffusers' set_timesteps, 1 or more
/// @param mu                   for FlowMatchEulerDiscreteScheduler with use_dynamic_shifting; see resolution_shift
/// @param sigmas               for FlowMatchEulerDiscreteScheduler: as given to set_timesteps
/// @throws std::invalid_argument naming the setting, its value and what is allowed.
template <State X>
DiffusersScheduler<X> from_diffusers(const nlohmann::json& config, int num_inference_steps, double mu = 0,
                                     std::vector<double> sigmas = {}) {
  return detail::DiffusersImport<X>(config, num_inference_steps, mu, std::move(sigmas)).make();
}

}  // namespace fewstep::io
