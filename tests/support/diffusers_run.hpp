// A case of a scheduler of diffusers: a configuration, the arguments of set_timesteps, and a run on data of two peaks.
#pragma once

#include <fewstep/io/diffusers.hpp>
#include <fewstep/run.hpp>
#include <fewstep/scalar.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

namespace fewstep::test {

/// E[x0 | x0 + sigma n = x] for data 0.4 N(1, 0.2^2) + 0.6 N(-1, 0.3^2).
inline double two_peaks(double x, double sigma) {
  const double weights[] = {0.4, 0.6}, means[] = {1, -1}, deviations[] = {0.2, 0.3};
  double logs[2], sum = 0, image = 0;
  for (int k = 0; k < 2; ++k) {
    const double variance = deviations[k] * deviations[k] + sigma * sigma, away = x - means[k];
    logs[k] = std::log(weights[k]) - 0.5 * std::log(variance) - 0.5 * away * away / variance;
  }
  for (int k = 0; k < 2; ++k) {
    const double share = std::exp(logs[k] - (std::max)(logs[0], logs[1]));
    const double kept = deviations[k] * deviations[k] / (deviations[k] * deviations[k] + sigma * sigma);
    sum += share;
    image += share * (means[k] + kept * (x - means[k]));
  }
  return image / sum;
}

/// The same denoiser for a flow's states x_t.
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
  nlohmann::json answer{{"x", nlohmann::json::array()}};
  for (const double noise : {-1.5, -0.7, -0.1, 0.2, 0.9, 1.7}) {
    const auto result = sample(made.solver, denoise, made.schedule, noise, made.options);
    answer["x"].push_back(result.x);
    answer["evals"] = result.evaluations + made.idle_evaluations;
  }
  return answer;
}

}  // namespace fewstep::test
