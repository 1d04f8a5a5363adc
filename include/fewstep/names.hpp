// The names that other programs have for solvers and schedules: diffusers, k-diffusion and ComfyUI,
// stable-diffusion.cpp, A1111's UI.
#pragma once

#include "registry.hpp"
#include "scalar.hpp"
#include "schedule_registry.hpp"

#include <cctype>
#include <cstddef>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fewstep {

/// A solver by this library's name and settings, and the schedule that the name asked for, if any.
struct SolverChoice {
  std::string solver;
  SolverSettings settings = {};
  std::optional<std::string> schedule = {};
};

namespace detail {

/// Without case, spaces, dashes and underscores, "++" as "pp".
inline std::string plain_name(std::string_view name) {
  std::string plain;
  for (const char c : name) {
    if (c == '+') plain += 'p';
    else if (std::isalnum(static_cast<unsigned char>(c)))
      plain += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return plain;
}

struct Alias {
  std::string_view name, solver;
  SolverSettings settings = {};
};

inline const std::vector<Alias>& solver_aliases() {
  static const std::vector<Alias> list{
      {"ddim", "euler"},
      {"eulerdiscrete", "euler"},
      {"edmeuler", "euler"},
      {"flowmatcheuler", "euler"},
      {"flowmatcheulerdiscrete", "euler"},
      {"heundiscrete", "heun"},
      {"dpm", "dpm2"},
      {"kdpm2", "dpm2"},
      {"kdpm2discrete", "dpm2"},
      {"dpmsolver2", "dpm2"},
      {"amedsolver", "amed"},
      {"dpmpp2m", "dpmpp", {.order = 2}},
      {"dpmpp3m", "dpmpp", {.order = 3}},
      {"dpmsolverpp", "dpmpp"},
      {"dpmsolvermultistep", "dpmpp", {.order = 2}},
      {"dpmpp2s", "dpm_singlestep", {.order = 2, .target = Target::denoised}},
      {"dpmpp3s", "dpm_singlestep", {.order = 3, .target = Target::denoised}},
      {"dpmsolver3", "dpm_singlestep", {.order = 3, .target = Target::slope}},
      {"dpmsolversinglestep", "dpm_singlestep", {.order = 2, .target = Target::denoised}},
      {"unipcbh1", "unipc", {.variant = UniB::bh1}},
      {"unipcbh2", "unipc", {.variant = UniB::bh2}},
      {"unipcmultistep", "unipc", {.order = 2}},
      {"deistab", "deis"},
      {"deisrhoab", "ipndm_v"},
      {"deismultistep", "deis", {.order = 2}},
      {"lms", "ipndm_v", {.order = 4}},
      {"lmsdiscrete", "ipndm_v", {.order = 4}},
      {"resmultistep", "res", {.order = 2}}};
  return list;
}

/// What samplers that add noise are called; and those for distilled networks.
inline bool is_stochastic(std::string_view plain) {
  for (const std::string_view part :
       {"ancestral", "sde", "lcm", "tcd", "restart", "sasolver", "cfgpp", "dpmfast", "dpmadaptive"})
    if (plain.find(part) != plain.npos) return true;
  return plain == "eulera" || plain == "dpm2a" || plain == "dpmpp2sa" || plain == "ddpm";
}

}  // namespace detail

/// "DPM++ 2M Karras", "dpmpp_2m", "dpm++2m", "k_lms", "UniPCMultistepScheduler", "PLMS", ... in this library's terms.
/// @throws std::invalid_argument for an unknown name, with those that are known and the nearest; for samplers that add
/// noise or are no solvers of the ODE, saying so.
inline SolverChoice solver_by_name(std::string_view name) {
  std::string plain = detail::plain_name(name);
  SolverChoice choice;
  const auto drop_end = [&](std::string_view end) {
    const bool has = plain.size() > end.size() && plain.ends_with(end);
    if (has) plain.resize(plain.size() - end.size());
    return has;
  };
  drop_end("scheduler");
  drop_end("sampler");
  if (drop_end("karras")) choice.schedule = "karras";
  else if (drop_end("exponential")) choice.schedule = "log_uniform";
  if (name.starts_with("k_") || name.starts_with("K_")) plain.erase(0, 1);
  if (name.starts_with("sample_")) plain.erase(0, 6);  // k-diffusion's functions
  require(!detail::is_stochastic(plain), "solver", name,
          "solvers of the ODE; this one adds noise, or belongs to distilled networks");

  std::vector<std::string> known;
  for_each_solver([&](const auto& entry) {
    known.emplace_back(entry.name);
    if (detail::plain_name(entry.name) == plain) choice.solver = entry.name;
  });
  for (const auto& alias : detail::solver_aliases()) {
    known.emplace_back(alias.name);
    if (alias.name == plain) choice.solver = alias.solver, choice.settings = alias.settings;
  }
  if (choice.solver.empty()) detail::unknown_name("solver", plain, known);
  return choice;
}

/// Every setting of a solver, also those left at their defaults: "dpmpp: order 2, form data, lower_order_final true".
/// @throws std::invalid_argument as make_solver.
inline std::string describe(std::string_view solver, const SolverSettings& settings = {}) {
  make_solver<double>(solver, settings);
  std::string text;
  for_each_solver([&](const auto& entry) {
    if (entry.name != solver) return;
    const auto made = entry.make(settings);
    text = std::string(entry.name) + ": ";
    auto add = [&, first = true](const char* name, std::string_view value) mutable {
      text += (first ? "" : ", ") + std::string(name) + " " + std::string(value);
      first = false;
    };
    const auto number = [](double v) {
      std::ostringstream out;
      out << v;
      return out.str();
    };
    if constexpr (requires { made.order; }) add("order", number(made.order));
    if constexpr (requires { made.target; }) add("target", to_string(made.target));
    if constexpr (requires { made.variable; }) add("variable", to_string(made.variable));
    if constexpr (requires { made.variant; }) add("variant", to_string(made.variant));
    if constexpr (requires { made.lower_order_final; })
      add("lower_order_final", made.lower_order_final ? "true" : "false");
    if constexpr (requires { made.uncorrected; }) add("uncorrected", number(made.uncorrected));
    if constexpr (requires { made.predictor.ratio; }) add("ratio", number(made.predictor.ratio));
    if constexpr (requires { made.r1; }) add("r1", number(made.r1)), add("r2", number(made.r2));
    if (text.ends_with(": ")) text.resize(text.size() - 2);
  });
  return text;
}

/// The schedule that other programs call by this name: schedule_list without case, spaces, dashes and underscores.
/// Schedules at training steps need the network's table and end at 0; the others take their range and end from
/// `settings`.
/// @throws std::invalid_argument as make_schedule().
inline Schedule schedule_by_name(std::string_view name, const ScheduleSettings& settings,
                                 const NoiseTable* table = nullptr) {
  return detail::make_listed_schedule(
      name, [plain = detail::plain_name(name)](std::string_view known) { return detail::plain_name(known) == plain; },
      settings, table);
}

}  // namespace fewstep
