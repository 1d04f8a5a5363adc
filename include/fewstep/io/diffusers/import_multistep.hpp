// Diffusers' multistep and single-step schedulers: DPM-Solver, DEIS, SA-Solver and UniPC.
#pragma once

#include "import.hpp"

#include <cmath>
#include <cstddef>
#include <optional>
#include <utility>

namespace fewstep::io::detail {

/// The levels of one of them but UniPC, which has other times of flows.
template <State X>
DiffusersLevels DiffusersImport<X>::multistep_levels(const LevelRules& rules, const TableRules& table_rules) {
  takes_no_sigmas();
  c_.knows({"use_flow_sigmas", "flow_shift", "use_dynamic_shifting", "time_shift_type", "timestep_spacing",
            "steps_offset", "lambda_min_clipped"});
  double shift = c_.positive("flow_shift", 1);
  if (c_.flag("use_dynamic_shifting") && call_.mu &&
      c_.choice("time_shift_type", "exponential", {"exponential", "linear"}) == "exponential")
    shift = dynamic_shift(c_, call_.mu);
  else takes_no_mu();
  const TrainingLevels& training = table(table_rules);
  const bool flow = c_.flag("use_flow_sigmas");
  const bool lu = rules.lu && c_.flag("use_lu_lambdas");
  if (flow) input_ = InputScale::flow;
  if (!flow || lu || diffusers_range(c_) != Range::none) {
    DiffusersLevels made = TableLevels(c_, training, steps_, rules).make();
    return flow ? as_flow_times(std::move(made)) : made;
  }
  label_kind_ = Label::flow_time;
  DiffusersLevels made = flow_levels(plain_flow_times(training.count(), steps_, shift), training);
  if (rules.final == FinalLevel::always_repeated) made.end = made.levels.back();
  else if (!ends_at_zero(c_)) made.end = flow_level(training.low());
  return made;
}

/// @param slopes  the solver extrapolates slopes
template <State X>
void DiffusersImport<X>::read_prediction(bool slopes) {
  predicts_ = diffusers_prediction(c_, slopes ? any_image : any_prediction);
  // A predicted image or v is not multiplied by sigma.
  float_part_ = slopes ? FloatPart::logarithms : predicts_ == Predicts::epsilon ? FloatPart::noise : FloatPart::none;
  const bool flow = c_.flag("use_flow_sigmas");
  require(predicts_ != Predicts::flow || flow, "prediction_type", "flow_prediction",
          "epsilon, v_prediction or sample without use_flow_sigmas");
  require(
      predicts_ != Predicts::v || !flow, "prediction_type", "v_prediction",
      "epsilon, sample or flow_prediction with use_flow_sigmas: diffusers' formula for v needs alpha^2 + sigma^2 = 1");
}

template <State X>
DiffusersScheduler<X> DiffusersImport<X>::dpm() {
  c_.require_off("variance_type");
  const Target target = dpm_target(c_, true);
  read_prediction(target == Target::slope);
  LevelRules rules{.final = FinalLevel::lowest, .multistep = true, .clips_lambda = true, .lu = true};
  rules.rounds_karras =
      c_.choice("beta_schedule", "linear", {"linear", "scaled_linear", "squaredcos_cap_v2"}) != "squaredcos_cap_v2";
  DiffusersLevels made = multistep_levels(rules, {.zero_snr = true});
  const auto solver = multistep_dpm(c_, target, shape_of(made));
  return finish_dpm(solver, std::move(made));
}

template <State X>
DiffusersScheduler<X> DiffusersImport<X>::dpm_singlestep() {
  c_.require_off("variance_type");
  const Target target = dpm_target(c_, true);
  read_prediction(target == Target::slope);
  DiffusersLevels made =
      multistep_levels({.final = FinalLevel::lowest, .multistep = true, .linspace_only = true, .clips_lambda = true});
  const auto solver = grouped_dpm(c_, target, shape_of(made));
  require(target == Target::denoised || !c_.flag("thresholding"), "thresholding", true,
          "false with the algorithm_type dpmsolver");
  return finish(solver, std::move(made), {diffusers_thresholding(c_), false, true});
}

template <State X>
template <class S>
DiffusersScheduler<X> DiffusersImport<X>::finish_dpm(const S& solver, DiffusersLevels made) {
  const std::optional<Thresholding> thresholding = diffusers_thresholding(c_);
  if (thresholding && solver.target == Target::slope)
    return finish(compat::ThresholdedSlope{solver}, std::move(made), {thresholding});
  return finish(solver, std::move(made), {thresholding});
}

template <State X>
DiffusersScheduler<X> DiffusersImport<X>::deis() {
  read_prediction(false);
  float_part_ = FloatPart::logarithms;
  DiffusersLevels made = multistep_levels({.final = FinalLevel::always_repeated, .multistep = true});
  const Deis solver = diffusers_deis(c_, shape_of(made));
  if (solver.order > 2) float_part_ = FloatPart::cancelling_logarithms;
  return finish_dpm(solver, std::move(made));
}

template <State X>
DiffusersScheduler<X> DiffusersImport<X>::sa() {
  c_.require_off("variance_type");
  const compat::SaSolver solver = sa_solver(c_);
  read_prediction(solver.target == Target::slope);
  float_part_ = FloatPart::logarithms;
  DiffusersLevels made =
      multistep_levels({.final = FinalLevel::always_repeated, .multistep = true, .clips_lambda = true});
  constexpr double first_noisy = 200, last_noisy = 800;  // training steps at which the default tau_func is 1
  if (const std::optional<double> tau = c_.find<double>("tau_func"))
    require(*tau == 0, "tau_func", *tau, "0: no noise");
  else
    for (const double label : made.labels)
      require(label < first_noisy || label > last_noisy, "tau_func", "null",
              "0 for SASolverScheduler: the default adds noise at the training steps 200 to 800");
  const std::optional<Thresholding> thresholding = diffusers_thresholding(c_);
  require(solver.target == Target::denoised || !thresholding, "thresholding", true,
          "false with the algorithm_type noise_prediction");
  return finish(solver, std::move(made), {thresholding, false, true});
}

template <State X>
DiffusersScheduler<X> DiffusersImport<X>::unipc() {
  c_.knows({"flow_shift", "time_shift_type", "shift_terminal", "sigma_min", "sigma_max", "timestep_spacing",
            "steps_offset", "final_sigmas_type"});
  const bool flow = c_.flag("use_flow_sigmas"), dynamic = c_.flag("use_dynamic_shifting");
  const double factor = dynamic ? dynamic_shift(c_, call_.mu) : c_.positive("flow_shift", 1);
  const double terminal = shift_terminal(c_);
  require(flow || !c_.find<double>("shift_terminal"), "shift_terminal", terminal, "null without use_flow_sigmas");
  require(call_.sigmas.empty() || flow, "the number of sigmas", call_.sigmas.size(), "none without use_flow_sigmas");
  const Range range = diffusers_range(c_);
  const TrainingLevels& training = table({.zero_snr = true});
  DiffusersLevels made;
  if (flow) input_ = InputScale::flow;
  if (flow && range == Range::none) {
    label_kind_ = Label::flow_time;
    if (!call_.sigmas.empty()) steps_ = static_cast<int>(call_.sigmas.size());
    made = flow_levels(unipc_flow_times(training.count(), steps_, {factor, terminal}, call_.sigmas), training);
    made.end = ends_at_zero(c_) ? 0 : made.levels.back();
  } else {
    require(call_.sigmas.empty(), "the number of sigmas", call_.sigmas.size(),
            "none with use_karras_sigmas, use_exponential_sigmas or use_beta_sigmas");
    const bool karras_flow = flow && range == Range::karras;
    LevelRules rules{.final = FinalLevel::repeated, .multistep = true};
    rules.labels_may_repeat = karras_flow;
    made = TableLevels(c_, training, steps_, rules).make();
    if (flow && !karras_flow) made = as_flow_times(std::move(made));
    if (karras_flow) {  // Karras's levels become times, and so stay levels
      for (std::size_t i = 0; i < made.levels.size(); ++i)
        made.labels[i] = std::floor(made.levels[i] / (1 + made.levels[i]) * training.count());
      require_one_start(made.labels);
    }
  }
  const compat::SelectiveUniPc solver = diffusers_unipc(c_, shape_of(made));
  read_prediction(solver.solver.target == Target::slope);
  const std::optional<Thresholding> thresholding = diffusers_thresholding(c_);
  const bool thresholds = solver.solver.target == Target::denoised;  // diffusers thresholds no slopes here
  return finish(solver, std::move(made), {thresholds ? thresholding : std::nullopt, false, true});
}

}  // namespace fewstep::io::detail
