// The schedulers of diffusers, continued: UniPC, DDIM, PNDM, EDM's and those of flows.
#pragma once

#include "import.hpp"

#include <cmath>
#include <cstddef>
#include <numbers>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace fewstep::io::detail {

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
  const DiffusersUniPc solver = diffusers_unipc(c_, shape_of(made));
  read_prediction(solver.solver.target == Target::slope);
  const std::optional<Thresholding> thresholding = diffusers_thresholding(c_);
  const bool thresholds = solver.solver.target == Target::denoised;  // diffusers thresholds no slopes here
  return finish(solver, std::move(made), {thresholds ? thresholding : std::nullopt, false, true});
}

template <State X>
DiffusersScheduler<X> DiffusersImport<X>::ddim(bool cogvideo) {
  float_part_ = FloatPart::none;
  takes_no_mu();
  takes_no_sigmas();
  predicts_ = diffusers_prediction(c_, any_image);
  TableRules rules{.zero_snr = true, .any_lowest_level = true};
  if (cogvideo) rules = {.first = 0.00085, .last = 0.012, .kind = "scaled_linear", .zero_snr = true, .snr_shift = true};
  const TrainingLevels& training = table(rules);
  const DdimLevels made = ddim_levels(c_, training, steps_, c_.flag("rescale_betas_zero_snr"));
  require(!made.no_signal || predicts_ != Predicts::epsilon, "prediction_type", "epsilon",
          "v_prediction or sample with rescale_betas_zero_snr: the noise alone does not tell the image");
  compat::Ddim solver;
  if (!cogvideo) {
    c_.knows({"clip_sample", "clip_sample_range"});
    if (const auto thresholding = diffusers_thresholding(c_)) solver.clip = thresholding;
    else if (c_.flag("clip_sample", true)) solver = compat::Ddim::clipped(c_.positive("clip_sample_range", 1));
  }
  bool strided = false;
  for (std::size_t i = 0; i < made.reached.size(); ++i)
    strided |= made.reached[i] != (i + 1 < made.reached.size() ? made.run.levels[i + 1] : made.run.end);
  if (strided)
    notes_.push_back("steps lead " + std::to_string(training.count() / steps_) +
                     " training steps down, not to the next level of the run");
  if (strided && !call_.corrected) solver.reached = made.reached;
  const bool plain = !solver.clip && solver.reached.empty();
  if (plain) return finish(Dpmpp{.order = 1}, made.run);  // in denoised form, for a first level of 1e14
  return finish(solver, made.run, {.alters_last_step = true, .uses_last_output = true});
}

template <State X>
DiffusersScheduler<X> DiffusersImport<X>::pndm() {
  takes_no_mu();
  takes_no_sigmas();
  predicts_ = diffusers_prediction(c_, noise_or_v);
  PndmLevels made = pndm_levels(c_, table(), steps_);
  made.solver.extrapolates_v = predicts_ == Predicts::v;
  if (made.run.levels.size() == 1)  // a single step is one of Euler
    return finish(compat::Ddim{made.solver.reached}, std::move(made.run), {.alters_last_step = true});
  return finish(made.solver, std::move(made.run), {.alters_last_step = true});
}

template <State X>
DiffusersScheduler<X> DiffusersImport<X>::ipndm() {
  takes_no_mu();
  takes_no_sigmas();
  training_step_count(c_, 1);
  c_.require_off("trained_betas");
  predicts_ = Predicts::v;
  label_kind_ = Label::angle;
  DiffusersScheduler<X> made = finish(Ipndm{}, ipndm_levels(steps_), {.alters_last_step = true});
  made.options.analytic_first_step = true;
  made.idle_evaluations = 1;
  float_part_ = FloatPart::none;
  return made;
}

template <State X>
DiffusersScheduler<X> DiffusersImport<X>::edm_euler() {
  takes_no_mu();
  takes_no_sigmas();
  read_edm(0.5, "epsilon");
  return finish(Euler{}, edm_levels(c_, steps_, {.repeats = true}));
}

template <State X>
DiffusersScheduler<X> DiffusersImport<X>::edm_dpm() {
  takes_no_mu();
  takes_no_sigmas();
  read_edm(0.5, "epsilon");
  const Target target = dpm_target(c_, false);
  DiffusersLevels made = edm_levels(c_, steps_);
  const auto solver = multistep_dpm(c_, target, shape_of(made));
  return finish_dpm(solver, std::move(made));
}

template <State X>
DiffusersScheduler<X> DiffusersImport<X>::cosine_dpm() {
  takes_no_mu();
  takes_no_sigmas();
  read_edm(1, "v_prediction");
  c_.knows({"solver_order", "solver_type", "lower_order_final", "euler_at_final"});
  require(steps_ == 1 && ends_at_zero(c_), "num_inference_steps", steps_,
          "1 with the final_sigmas_type zero for CosineDPMSolverMultistepScheduler: other steps add noise");
  label_kind_ = Label::angle;
  DiffusersLevels made = edm_levels(c_, steps_, {0.3, 500, "exponential"});
  for (std::size_t i = 0; i < made.levels.size(); ++i)
    made.labels[i] = 2 / std::numbers::pi * std::atan(made.levels[i]);
  return finish(Euler{}, std::move(made));
}

template <State X>
DiffusersScheduler<X> DiffusersImport<X>::flow_match(bool heun) {
  const bool dynamic = !heun && c_.flag("use_dynamic_shifting");
  TimeShift shift{c_.positive("shift", 1)};
  std::vector<double> times;
  if (heun) {
    takes_no_mu();
    takes_no_sigmas();
    times = flow_match_times(c_, steps_, shift, false, call_.corrected, {});
  } else {
    c_.knows({"base_shift", "max_shift", "base_image_seq_len", "max_image_seq_len", "sigma_min", "sigma_max"});
    for (const char* name : {"invert_sigmas", "stochastic_sampling"}) c_.require_off(name);
    c_.choice("time_shift_type", "exponential", {"exponential", "linear"});
    if (dynamic) shift.factor = dynamic_shift(c_, call_.mu);
    shift.terminal = shift_terminal(c_);
    const auto steps = static_cast<std::size_t>(steps_);
    require(call_.sigmas.empty() || call_.sigmas.size() == steps, "the number of sigmas", call_.sigmas.size(),
            {steps_, ", num_inference_steps"});
    times = flow_match_times(c_, steps_, shift, dynamic, call_.corrected, call_.sigmas);
    const Range range = diffusers_range(c_);
    if (range != Range::none) times = range_levels(c_, range, steps_, times.back(), times.front());
  }
  const double scale = training_step_count(c_, 1);
  DiffusersScheduler<X> made{
      heun ? AnySolver<X>(Heun{}) : AnySolver<X>(Euler{}), Schedule({1, 0}), {}, Predicts::flow, true};
  for (const double t : times) made.labels.push_back(t * scale);
  require_one_start(made.labels);
  times.push_back(0);
  made.schedule = Schedule(times);
  made.label_kind = Label::flow_time;
  made.label_scale = scale;
  made.input = InputScale::none;
  if (!dynamic && shift.factor != 1 && call_.sigmas.empty() && steps_ > 1)
    made.notes.push_back("the smallest time is shifted twice");
  made.ignored = c_.ignored();
  return made;
}

template <State X>
DiffusersScheduler<X> DiffusersImport<X>::cogvideo_dpm() {
  require(steps_ == 1, "num_inference_steps", steps_, "1 for CogVideoXDPMScheduler: more steps add noise");
  require(c_.flag("set_alpha_to_one", true), "set_alpha_to_one", false, "true for CogVideoXDPMScheduler");
  return ddim(true);
}

template <State X>
void DiffusersImport<X>::read_edm(double sigma_data, const char* prediction) {
  const std::string type = c_.choice("prediction_type", prediction, {"epsilon", "v_prediction"});
  predicts_ = Predicts::edm;
  label_kind_ = Label::log_sigma;
  input_ = InputScale::none;
  sigma_data_ = c_.positive("sigma_data", sigma_data);
  edm_sign_ = type == "epsilon" ? 1 : -1;
}

}  // namespace fewstep::io::detail
