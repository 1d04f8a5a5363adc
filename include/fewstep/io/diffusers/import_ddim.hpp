// DDIM, PNDM, IPNDM and CogVideoX: schedulers on training steps alone.
#pragma once

#include "../../solvers/compat/diffusers/ipndm.hpp"
#include "ddim_levels.hpp"
#include "import.hpp"

#include <cstddef>
#include <string>
#include <utility>

namespace fewstep::io::detail {

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
DiffusersScheduler<X> DiffusersImport<X>::cogvideo_dpm() {
  require(steps_ == 1, "num_inference_steps", steps_, "1 for CogVideoXDPMScheduler: more steps add noise");
  require(c_.flag("set_alpha_to_one", true), "set_alpha_to_one", false, "true for CogVideoXDPMScheduler");
  return ddim(true);
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
  DiffusersScheduler<X> made = finish(compat::IpndmFromNoise{}, ipndm_levels(steps_), {.alters_last_step = true});
  made.options.analytic_first_step = true;
  made.start_scale = made.schedule[0];
  made.idle_evaluations = 1;
  float_part_ = FloatPart::none;
  return made;
}

}  // namespace fewstep::io::detail
