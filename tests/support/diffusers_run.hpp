// A case of a scheduler of diffusers: a configuration, the arguments of set_timesteps, and a run on data of two peaks.
#pragma once

#include "two_peaks.hpp"

#include <fewstep/io/diffusers.hpp>
#include <fewstep/run.hpp>
#include <fewstep/scalar.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <optional>
#include <vector>

namespace fewstep::test {

/// The denoiser of two peaks for a flow's states x_t.
inline double two_peaks_of_flow(double x, double t) {
  constexpr double nearly_one = 1 - 1e-15;
  t = (std::min)(t, nearly_one);
  return two_peaks(x / (1 - t), t / (1 - t));
}

/// Runs a case {config, steps, mu, sigmas}.
/// @return {x, evals}, the samples from six starts and the network evaluations, those that change nothing included
inline nlohmann::json diffusers_run(const nlohmann::json& c) {
  std::optional<double> mu;
  if (c.contains("mu") && !c.at("mu").is_null()) mu = c.at("mu").get<double>();
  std::vector<double> sigmas;
  if (c.contains("sigmas") && !c.at("sigmas").is_null()) sigmas = c.at("sigmas").get<std::vector<double>>();
  const auto made = io::from_diffusers<double>(c.at("config"), c.at("steps").get<int>(), mu, sigmas);
  const auto denoise = [&](const double& x, double level) {
    return made.native_flow ? two_peaks_of_flow(x, level) : two_peaks(x, level);
  };
  nlohmann::json answer{{"x", nlohmann::json::array()}, {"start", made.start_scale}, {"end", made.end_scale}};
  for (const double noise : {-1.5, -0.7, -0.1, 0.2, 0.9, 1.7}) {
    const auto result = sample(made.solver, denoise, made.schedule, noise, made.options);
    answer["x"].push_back(result.x);
    answer["evals"] = result.evaluations + made.idle_evaluations;
  }
  return answer;
}

}  // namespace fewstep::test
