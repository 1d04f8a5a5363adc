#pragma once

#include "../diffusers/config.hpp"
#include "../diffusers/settings.hpp"
#include "process.hpp"

#include <nlohmann/json.hpp>

#include <string>

namespace fewstep::io {

/// Returns what a scheduler_config.json of diffusers says of the network, whichever solver it names: prediction,
/// process and label.
///
/// @throws std::invalid_argument for a setting out of range.
inline ModelRule model_of_scheduler(const nlohmann::json& config) {
  const detail::DiffusersSettings c(config);
  const std::string name = c.class_name();
  const auto begins = [&](const char* text) { return name.starts_with(text); };
  ModelRule rule;
  if (begins("FlowMatch") || c.flag("use_flow_sigmas")) {
    rule.process = ModelProcess::flow;
    rule.predicts = begins("FlowMatch") ? Predicts::flow
                                        : detail::diffusers_prediction(c, {"epsilon", "sample", "flow_prediction"});
    rule.input = InputScale::flow;
    rule.labels = ModelLabel::time;
    rule.label_scale = detail::training_step_count(c, 1);
    return rule;
  }
  if (begins("EDM") || begins("CosineDPM")) {
    const bool cosine = begins("CosineDPM");
    const std::string type =
        c.choice("prediction_type", cosine ? "v_prediction" : "epsilon", {"epsilon", "v_prediction"});
    rule.predicts = Predicts::edm;
    rule.input = InputScale::none;
    rule.labels = cosine ? ModelLabel::angle : ModelLabel::log_sigma;
    rule.sigma_data = c.positive("sigma_data", cosine ? 1 : 0.5);
    rule.sign = type == "epsilon" ? 1 : -1;
    return rule;
  }
  detail::TableRules table{.zero_snr = true, .exponential = true};
  if (begins("Heun") || begins("KDPM2")) table.first = 0.00085, table.last = 0.012;
  if (begins("CogVideoX")) {
    table.first = 0.00085, table.last = 0.012, table.kind = "scaled_linear";
    table.snr_shift = true;
  }
  rule.process = ModelProcess::discrete;
  rule.predicts = detail::diffusers_prediction(c, {"epsilon", "v_prediction", "sample"});
  rule.table = detail::diffusers_table(c, table, false).table;
  rule.labels = ModelLabel::step;
  if (c.choice("timestep_type", "discrete", {"discrete", "continuous"}) == "continuous")
    rule.labels = ModelLabel::log_sigma;
  return rule;
}

}  // namespace fewstep::io
