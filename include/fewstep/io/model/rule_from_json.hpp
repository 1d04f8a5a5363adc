#pragma once

#include "../../enum_names.hpp"
#include "../../errors.hpp"
#include "../detail/json_values.hpp"
#include "../diffusers/config.hpp"
#include "../diffusers/settings.hpp"
#include "process.hpp"

#include <nlohmann/json.hpp>

#include <cmath>
#include <string>
#include <vector>

namespace fewstep::io::detail {

/// Reads a process of its own; that of a scheduler is model_of_scheduler().
inline ModelRule rule_from_json(const nlohmann::json& json) {
  const JsonObject process(json, "process",
                           {"kind", "sigma_data", "sign", "beta_min", "beta_max", "noise_at", "betas"});
  ModelRule rule;
  rule.process = parse<ModelProcess>("process.kind", process.text("kind"));
  const auto only = [&](const char* key, ModelProcess kind) {
    require(!process.has(key) || rule.process == kind, process.path(key), "given",
            {"none in the process ", to_string(rule.process)});
  };
  only("sigma_data", ModelProcess::edm);
  only("sign", ModelProcess::edm);
  only("beta_min", ModelProcess::vp);
  only("beta_max", ModelProcess::vp);
  only("noise_at", ModelProcess::flow);
  only("betas", ModelProcess::discrete);
  rule.sigma_data = process.number("sigma_data", 0.5);
  rule.sign = process.number("sign", 1);
  require(std::abs(rule.sign) == 1, "process.sign", rule.sign, "1 or -1");
  rule.vp = {process.number("beta_min", rule.vp.beta_min), process.number("beta_max", rule.vp.beta_max)};
  if (process.has("noise_at")) rule.noise_at = parse<NoiseAt>("process.noise_at", process.text("noise_at"));
  switch (rule.process) {
    case ModelProcess::edm: rule.input = InputScale::none, rule.labels = ModelLabel::log_sigma; break;
    case ModelProcess::ve: rule.input = InputScale::none, rule.labels = ModelLabel::sigma; break;
    case ModelProcess::vp: rule.labels = ModelLabel::time; break;
    case ModelProcess::flow:
      rule.input = InputScale::flow, rule.labels = ModelLabel::time;
      if (rule.noise_at == NoiseAt::zero) rule.sign = -1;
      break;
    case ModelProcess::discrete: {
      const nlohmann::json betas = process.has("betas") ? process.at("betas") : nlohmann::json::object();
      const JsonObject checked(betas, "process.betas",
                               {"beta_schedule", "beta_start", "beta_end", "trained_betas", "num_train_timesteps",
                                "rescale_betas_zero_snr"});
      const DiffusersSettings settings(betas);
      rule.table = diffusers_table(settings, {.zero_snr = true, .exponential = true}, false).table;
      rule.labels = ModelLabel::step;
    }
  }
  return rule;
}

/// Reads what the network predicts. "denoised" is x0 from x itself with the label sigma.
inline void read_prediction(const JsonObject& top, ModelRule& rule) {
  const bool flow = rule.process == ModelProcess::flow, edm = rule.process == ModelProcess::edm;
  if (!top.has("predicts")) {
    require(flow || edm, "predicts", "missing", "epsilon, v, x0, flow, edm or denoised");
    rule.predicts = flow ? Predicts::flow : Predicts::edm;
  } else if (top.text("predicts") == "denoised") {
    rule.predicts = Predicts::sample;
    rule.input = InputScale::none;
    rule.labels = ModelLabel::sigma;
  } else {
    rule.predicts = parse<Predicts>("predicts", top.text("predicts"));
  }
}

inline const std::vector<std::string> label_keys{"kind", "scale", "rounded", "name", "type", "scalar"};

/// Reads another label than the process's own.
inline void read_label(const nlohmann::json& json, ModelRule& rule) {
  const JsonObject label(json, "label", label_keys);
  if (label.has("kind")) rule.labels = parse<ModelLabel>("label.kind", label.text("kind"));
  const bool scaled = rule.labels == ModelLabel::sigma || rule.labels == ModelLabel::time;
  require(scaled || !label.has("scale"), "label.scale", "given", {"none for the label ", to_string(rule.labels)});
  rule.label_scale = label.number("scale", rule.label_scale);
  rule.rounded_steps = label.flag("rounded", rule.rounded_steps);
}

}  // namespace fewstep::io::detail
