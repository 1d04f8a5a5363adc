// mu, the shift that pipelines of flow models pass to set_timesteps.
#pragma once

#include "../../errors.hpp"
#include "../../schedules/flow.hpp"
#include "settings.hpp"

#include <nlohmann/json.hpp>

#include <cmath>

namespace fewstep::io {

/// Returns the mu that diffusers' pipelines of Flux, SD3.5, Qwen-Image and LTX-Video pass for an image of `tokens`
/// tokens: linear in the number of tokens, from base_shift at base_image_seq_len to max_shift at max_image_seq_len of
/// the configuration. For Flux's file it is 1.15 at 4096 tokens; the times are shifted by exp(1.15) = 3.16.
/// @throws std::invalid_argument naming the setting that is out of range.
inline double flux_mu(double tokens, const nlohmann::json& config) {
  const detail::DiffusersSettings c(config);
  require(std::isfinite(tokens) && tokens > 0, "tokens", tokens, "positive numbers");
  const double least = c.positive("base_image_seq_len", 256), most = c.positive("max_image_seq_len", 4096);
  require(least < most, "base_image_seq_len", least, {"less than max_image_seq_len, ", most});
  return std::log(resolution_shift(tokens, c.number("base_shift", 0.5), c.number("max_shift", 1.15), least, most));
}

/// Returns the mu of Flux.2's pipeline: two straight lines in the number of tokens, for 10 and for 200 steps, and
/// linear in the steps between; above 4300 tokens the line for 200 steps alone.
/// @throws std::invalid_argument for an argument out of range.
inline double flux2_mu(double tokens, int steps) {
  constexpr double slope_10 = 8.73809524e-05, at_0_for_10 = 1.89833333;
  constexpr double slope_200 = 0.00016927, at_0_for_200 = 0.45666666;
  constexpr double many_tokens = 4300;
  require(std::isfinite(tokens) && tokens > 0, "tokens", tokens, "positive numbers");
  require(steps >= 1, "steps", steps, "1 or more");
  const double for_200 = slope_200 * tokens + at_0_for_200, for_10 = slope_10 * tokens + at_0_for_10;
  if (tokens > many_tokens) return for_200;
  return for_200 + (for_200 - for_10) * (steps - 200) / (200 - 10);
}

}  // namespace fewstep::io
