// EDM's schedulers, and the one with cosine levels.
#pragma once

#include "edm_levels.hpp"
#include "import.hpp"

#include <cmath>
#include <cstddef>
#include <numbers>
#include <string>
#include <utility>

namespace fewstep::io::detail {

template <State X>
DiffusersScheduler<X> DiffusersImport<X>::edm_euler() {
  takes_no_mu();
  takes_no_sigmas();
  read_edm(0.5, "epsilon", 80);
  return finish(Euler{}, edm_levels(c_, steps_, {.repeats = true}));
}

template <State X>
DiffusersScheduler<X> DiffusersImport<X>::edm_dpm() {
  takes_no_mu();
  takes_no_sigmas();
  read_edm(0.5, "epsilon", 80);
  const Target target = dpm_target(c_, false);
  DiffusersLevels made = edm_levels(c_, steps_);
  const auto solver = multistep_dpm(c_, target, shape_of(made));
  return finish_dpm(solver, std::move(made));
}

template <State X>
DiffusersScheduler<X> DiffusersImport<X>::cosine_dpm() {
  takes_no_mu();
  takes_no_sigmas();
  read_edm(1, "v_prediction", 500);
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
void DiffusersImport<X>::read_edm(double sigma_data, const char* prediction, double highest) {
  const std::string type = c_.choice("prediction_type", prediction, {"epsilon", "v_prediction"});
  predicts_ = Predicts::edm;
  label_kind_ = Label::log_sigma;
  input_ = InputScale::none;
  sigma_data_ = c_.positive("sigma_data", sigma_data);
  edm_sign_ = type == "epsilon" ? 1 : -1;
  highest_ = c_.positive("sigma_max", highest);
}

}  // namespace fewstep::io::detail
