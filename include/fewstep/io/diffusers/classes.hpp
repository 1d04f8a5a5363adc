// The list of diffusers' classes that are imported.
#pragma once

#include "../../unknown_name.hpp"
#include "import.hpp"
#include "import_ddim.hpp"
#include "import_edm.hpp"
#include "import_flow_match.hpp"
#include "import_multistep.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fewstep::io::detail {

template <State X>
DiffusersScheduler<X> DiffusersImport<X>::finish(const AnySolver<X>& solver, DiffusersLevels made,
                                                 const DiffusersTraits& traits) {
  constexpr double nearly_zero = 1e-14, nearly_one = 1 - 1e-14;  // of the last level
  DiffusersScheduler<X> all{solver, Schedule({1, 0}), {}, start_scale(made.levels.front())};
  if (!in_sigma_ && input_ != InputScale::none) all.end_scale = 1 / input_divisor(made.end);
  all.predicts = predicts_;
  if (table_) all.table = table_->table;
  double end = made.end;
  const double last = made.levels.back();
  if (end == last && (traits.uses_last_output || made.levels.size() == 1)) {
    end = nearly_one * last;
  } else if (end == last) {
    // Diffusers' last step has length 0 but counts as a step to its solvers, so the schedule gets a level that no run
    // reaches.
    all.idle_evaluations = 1;
    all.options.last_step = made.levels.size() - 1;
    end = last / 2;
  } else if (end > last) {
    all.solver = WithLastLevel<X>{solver, end};
    end = last / 2;
  } else if (end == 0 && (traits.thresholding || traits.alters_last_step)) {
    end = nearly_zero * last;  // a step to level 0 returns the model's denoised image; this one is the solver's own
  }
  all.solver.validate();
  made.levels.push_back(end);
  all.schedule = Schedule(made.levels);
  all.options.thresholding = traits.thresholding;
  all.labels = std::move(made.labels);
  all.label_kind = label_kind_;
  all.input = input_;
  if (table_) all.label_scale = static_cast<double>(table_->table.size());
  all.sigma_data = sigma_data_;
  all.edm_sign = edm_sign_;
  all.ignored = c_.ignored();
  all.notes = notes_;
  return all;
}

/// Diffusers' init_noise_sigma, divided by the scale of its states.
template <State X>
double DiffusersImport<X>::start_scale(double first) const {
  if (in_sigma_ && diffusers_spacing(c_, Spacing::linspace) != Spacing::leading) return first;
  return input_divisor(highest_.value_or(first));
}

/// 1/alpha of the network's input; that of EDM's states for noise of unit deviation.
template <State X>
double DiffusersImport<X>::input_divisor(double level) const {
  return input_ == InputScale::flow ? 1 + level : std::sqrt(1 + level * level);
}

template <State X>
DiffusersScheduler<X> DiffusersImport<X>::make() {
  using Self = DiffusersImport;
  struct Scheduler {
    std::string_view name;
    DiffusersScheduler<X> (*make)(Self&);
  };
  static constexpr Scheduler schedulers[]{
      {"CogVideoXDDIMScheduler", [](Self& s) { return s.ddim(true); }},
      {"CogVideoXDPMScheduler", [](Self& s) { return s.cogvideo_dpm(); }},
      {"CosineDPMSolverMultistepScheduler", [](Self& s) { return s.cosine_dpm(); }},
      {"DDIMScheduler", [](Self& s) { return s.ddim(false); }},
      {"DEISMultistepScheduler", [](Self& s) { return s.deis(); }},
      {"DPMSolverMultistepScheduler", [](Self& s) { return s.dpm(); }},
      {"DPMSolverSinglestepScheduler", [](Self& s) { return s.dpm_singlestep(); }},
      {"EDMDPMSolverMultistepScheduler", [](Self& s) { return s.edm_dpm(); }},
      {"EDMEulerScheduler", [](Self& s) { return s.edm_euler(); }},
      {"EulerAncestralDiscreteScheduler", [](Self& s) { return s.euler_ancestral(); }},
      {"EulerDiscreteScheduler", [](Self& s) { return s.euler(); }},
      {"FlowMatchEulerDiscreteScheduler", [](Self& s) { return s.flow_match(false); }},
      {"FlowMatchHeunDiscreteScheduler", [](Self& s) { return s.flow_match(true); }},
      {"HeunDiscreteScheduler", [](Self& s) { return s.heun(); }},
      {"IPNDMScheduler", [](Self& s) { return s.ipndm(); }},
      {"KDPM2DiscreteScheduler", [](Self& s) { return s.kdpm2(); }},
      {"LMSDiscreteScheduler", [](Self& s) { return s.lms(); }},
      {"PNDMScheduler", [](Self& s) { return s.pndm(); }},
      {"SASolverScheduler", [](Self& s) { return s.sa(); }},
      {"UniPCMultistepScheduler", [](Self& s) { return s.unipc(); }}};
  const std::string name = c_.class_name();
  std::vector<std::string> known;
  for (const Scheduler& scheduler : schedulers) {
    if (scheduler.name == name) return scheduler.make(*this);
    known.emplace_back(scheduler.name);
  }
  fewstep::detail::unknown_name("_class_name", name, known);
}

}  // namespace fewstep::io::detail
