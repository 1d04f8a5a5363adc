// Settings that several schedulers of diffusers share. Defaults are those of diffusers 0.40.
#pragma once

#include "../../enum_names.hpp"
#include "../../processes/noise_table.hpp"
#include "../../schedules/training_steps.hpp"
#include "../detail/json_settings.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace fewstep::io {

/// What the network predicts (diffusers' prediction_type). The adaptors, in this order: from_epsilon, from_v, from_x0,
/// from_flow.
enum class Predicts { epsilon, v, sample, flow };

namespace detail {

inline Predicts diffusers_prediction(const JsonSettings& c) {
  const std::string type =
      c.choice("prediction_type", "epsilon", {"epsilon", "v_prediction", "sample", "flow_prediction"});
  if (type == "epsilon") return Predicts::epsilon;
  if (type == "v_prediction") return Predicts::v;
  return type == "sample" ? Predicts::sample : Predicts::flow;
}

inline constexpr int most_training_steps = 1'000'000;

/// Returns the noise levels that the network was trained at.
inline NoiseTable diffusers_noise_table(const JsonSettings& c) {
  const auto count = static_cast<std::size_t>(c.get("num_train_timesteps", 1000, 2, most_training_steps));
  const double first = c.get("beta_start", 1e-4), last = c.get("beta_end", 0.02);
  const std::string kind = c.choice("beta_schedule", "linear", {"linear", "scaled_linear", "squaredcos_cap_v2"});
  NoiseTable table = c.has("trained_betas")    ? NoiseTable(c.get<std::vector<double>>("trained_betas"))
                     : kind == "linear"        ? NoiseTable::linear(first, last, count)
                     : kind == "scaled_linear" ? NoiseTable::scaled_linear(first, last, count)
                                               : NoiseTable::cosine(count);
  return c.get("rescale_betas_zero_snr", false) ? table.with_zero_terminal_snr() : table;
}

inline Spacing diffusers_spacing(const JsonSettings& c, Spacing otherwise) {
  return parse<Spacing>("timestep_spacing", c.get("timestep_spacing", std::string(to_string(otherwise))));
}

/// Whether the image is thresholded, dynamically or to [-1, 1].
inline bool diffusers_thresholds(const JsonSettings& c) { return c.get("thresholding", false); }

/// @throws std::invalid_argument when one of these settings is true.
inline void require_off(const JsonSettings& c, const std::vector<const char*>& names) {
  for (const char* name : names) require(!c.get(name, false), name, true, "false");
}

}  // namespace detail

}  // namespace fewstep::io
