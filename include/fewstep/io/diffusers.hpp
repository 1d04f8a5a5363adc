// A scheduler of diffusers from its scheduler_config.json.
#pragma once

#include "diffusers/import.hpp"
#include "diffusers/import_others.hpp"

#include <nlohmann/json.hpp>

#include <optional>
#include <utility>
#include <vector>

namespace fewstep::io {

/// Imports a scheduler of diffusers 0.42.1. README.md of this folder lists the classes and the settings that are
/// honoured; the random variants are refused.
///
/// @param config  the content of scheduler_config.json; absent settings take diffusers' defaults, settings that the
///                class does not read are listed in `ignored`
/// @throws std::invalid_argument naming the setting, its value and what is allowed.
template <State X>
DiffusersScheduler<X> from_diffusers(const nlohmann::json& config, SetTimesteps call) {
  return detail::DiffusersImport<X>(config, std::move(call)).make();
}

/// The same with the arguments one by one.
/// @param num_inference_steps  as for diffusers' set_timesteps, 1 or more
/// @param mu                   for use_dynamic_shifting; see flux_mu()
/// @param sigmas               for FlowMatchEulerDiscreteScheduler, UniPCMultistepScheduler with use_flow_sigmas and
///                             EulerDiscreteScheduler (the last level included): as given to set_timesteps
template <State X>
DiffusersScheduler<X> from_diffusers(const nlohmann::json& config, int num_inference_steps,
                                     std::optional<double> mu = {}, std::vector<double> sigmas = {}) {
  return from_diffusers<X>(config, SetTimesteps{num_inference_steps, mu, std::move(sigmas)});
}

}  // namespace fewstep::io
