// A scheduler of diffusers from its scheduler_config.json.
#pragma once

#include "diffusers/classes.hpp"
#include "diffusers/float_error.hpp"
#include "diffusers/import.hpp"
#include "diffusers/network.hpp"
#include "diffusers/read.hpp"
#include "diffusers/shift.hpp"
#include "diffusers/strength.hpp"

#include "../scalar.hpp"
#include "file_error.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace fewstep::io {

namespace detail {

inline double diffusers_float_error(const nlohmann::json& config, const SetTimesteps& call) {
  DiffusersImport<double> import(config, call);
  const DiffusersScheduler<double> run = import.make();
  return float_error(run, import.float_part());
}

/// @throws std::invalid_argument where diffusers' samples are not those of its own formulas: SetTimesteps::corrected
/// takes the latter.
inline void require_small_float_error(const nlohmann::json& config, const SetTimesteps& call) {
  constexpr double largest = 1.75e-4;
  const double error = diffusers_float_error(config, call);
  require(error <= largest, "num_inference_steps", call.num_inference_steps,
          {"more, or `corrected`: between these levels diffusers' float arithmetic changes samples by ", error});
}

}  // namespace detail

/// Imports a scheduler of diffusers 0.42.1. README.md of this folder lists the classes and the settings that are
/// honoured; the random variants are refused.
///
/// @param config  the content of scheduler_config.json; absent settings take diffusers' defaults, settings that the
///                class does not read are listed in `ignored`
/// @throws std::invalid_argument naming the setting, its value and what is allowed.
template <State X>
DiffusersScheduler<X> from_diffusers(const nlohmann::json& config, SetTimesteps call) {
  if (call.single && !call.corrected) detail::require_small_float_error(config, call);
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

namespace detail {

/// Whether an error is about a setting of the configuration: "NAME is VALUE", or about one that is missing.
inline bool names_a_setting(const nlohmann::json& config, const std::string& error) {
  if (error.starts_with("_class_name is ")) return true;
  return std::any_of(config.items().begin(), config.items().end(),
                     [&](const auto& item) { return error.starts_with(item.key() + " is "); });
}

}  // namespace detail

/// Reads a scheduler_config.json for from_diffusers(), by the rules of parse_scheduler(), and checks its settings as
/// far as they do not depend on the run.
///
/// @throws std::runtime_error "PATH: WHAT", which names the setting, its value and what is allowed.
inline nlohmann::json read_scheduler(const std::filesystem::path& path) {
  const std::string text = detail::scheduler_text(path);
  return detail::naming_file(path, [&] {
    constexpr int any_steps = 10;
    constexpr double any_mu = 1;
    nlohmann::json config = parse_scheduler(text);
    try {
      const bool dynamic = config.contains("use_dynamic_shifting") && config["use_dynamic_shifting"] == true;
      // Whether float arithmetic changes the samples depends on the run.
      from_diffusers<double>(
          config,
          {.num_inference_steps = any_steps, .mu = dynamic ? std::optional(any_mu) : std::nullopt, .single = false});
    } catch (const std::invalid_argument& error) {
      if (detail::names_a_setting(config, error.what())) throw;
    }
    return config;
  });
}

/// Reads and imports a scheduler_config.json.
///
/// @throws std::runtime_error "PATH: WHAT" for whatever from_diffusers() refuses too.
template <State X>
DiffusersScheduler<X> read_scheduler(const std::filesystem::path& path, SetTimesteps call) {
  const std::string text = detail::scheduler_text(path);
  return detail::naming_file(path, [&] { return from_diffusers<X>(parse_scheduler(text), std::move(call)); });
}

}  // namespace fewstep::io
