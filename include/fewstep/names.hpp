// Solvers and schedules by the names that other programs give them: diffusers, k-diffusion, ComfyUI,
// stable-diffusion.cpp and A1111's web UI.
#pragma once

#include "registry.hpp"
#include "scalar.hpp"
#include "schedule_registry.hpp"

#include <cctype>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace fewstep {

/// A sampler of another program in this library's terms.
struct SolverChoice {
  std::string solver;                        ///< for make_solver()
  SolverSettings settings = {};              ///< for make_solver()
  std::optional<std::string> schedule = {};  ///< for make_schedule(), where the sampler's name includes one
};

namespace detail {

/// The name in lower case, without spaces, dashes and underscores, and with "p" for "+".
inline std::string plain_name(std::string_view name) {
  std::string plain;
  for (const char c : name) {
    if (c == '+') plain += 'p';
    else if (std::isalnum(static_cast<unsigned char>(c)))
      plain += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return plain;
}

/// Another program's name, plain, and what it stands for.
struct SolverAlias {
  std::string_view name, solver;
  SolverSettings settings = {};
};

inline const std::vector<SolverAlias>& solver_aliases() {
  static const std::vector<SolverAlias> list{{"ddim", "euler"},
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
                                             {"dpmpp2m", "dpmpp", {.order = 2, .lower_order_final = false}},
                                             {"dpmpp3m", "dpmpp", {.order = 3}},
                                             {"dpmsolverpp", "dpmpp"},
                                             {"dpmsolvermultistep", "dpmpp", {.order = 2}},
                                             {"dpmpp2s", "dpm_singlestep", {.order = 2, .target = Target::denoised}},
                                             {"dpmpp3s", "dpm_singlestep", {.order = 3, .target = Target::denoised}},
                                             {"dpmsolver3", "dpm_singlestep", {.order = 3, .target = Target::slope}},
                                             {"unipcbh1", "unipc", {.variant = UniB::bh1}},
                                             {"unipcbh2", "unipc", {.variant = UniB::bh2}},
                                             {"unipcmultistep", "unipc", {.order = 2}},
                                             {"deistab", "deis"},
                                             {"deisrhoab", "ipndm_v"},
                                             {"lmsdiscrete", "lms", {.order = 4}},
                                             {"resmultistep", "res", {.order = 2}}};
  return list;
}

/// Whether a plain name is that of a sampler that adds noise at every step, or of one for distilled networks.
inline bool is_stochastic(std::string_view plain) {
  for (const std::string_view part : {"ancestral", "sde", "lcm", "tcd", "restart", "sasolver", "cfgpp"})
    if (plain.find(part) != plain.npos) return true;
  return plain == "eulera" || plain == "dpm2a" || plain == "dpmpp2sa" || plain == "ddpm";
}

/// What makes the sampler of this plain name, where make_solver() cannot; else empty.
/// @param of_diffusers  the name is that of a class of diffusers
inline std::string_view maker_of(std::string_view plain, bool of_diffusers) {
  if (plain == "dpmfast") return "DpmFast, which has a schedule of its own";
  if (plain == "dpmadaptive") return "integrate_adaptive(), which chooses its own steps";
  if (plain == "dpmsolversinglestep" || plain == "deismultistep" ||
      (of_diffusers && (plain == "pndm" || plain == "ipndm")))
    return "io::from_diffusers() for this class of diffusers, whose run depends on its configuration";
  return {};
}

/// Removes the last word, where there is more than that word.
inline bool drop_last_word(std::string& plain, std::string_view word) {
  const bool has = plain.size() > word.size() && plain.ends_with(word);
  if (has) plain.resize(plain.size() - word.size());
  return has;
}

}  // namespace detail

/// A sampler's name in another program -- "DPM++ 2M Karras", "dpmpp_2m", "k_lms", "UniPCMultistepScheduler", "PLMS" --
/// in this library's terms. Case, spaces, dashes and underscores are ignored.
/// @throws std::invalid_argument for an unknown name (listing the known ones and the nearest), and for samplers that
/// add noise at every step, which are no solvers of the ODE.
inline SolverChoice solver_by_name(std::string_view name) {
  constexpr std::string_view function_prefix = "sample";  // of k-diffusion's functions: sample_euler
  std::string plain = detail::plain_name(name);
  SolverChoice choice;
  const bool of_diffusers = detail::drop_last_word(plain, "scheduler");
  detail::drop_last_word(plain, "sampler");
  if (detail::drop_last_word(plain, "karras")) choice.schedule = "karras";
  else if (detail::drop_last_word(plain, "exponential")) choice.schedule = "log_uniform";
  if (name.starts_with("k_") || name.starts_with("K_")) plain.erase(0, 1);
  if (name.starts_with("sample_")) plain.erase(0, function_prefix.size());
  require(!detail::is_stochastic(plain), "solver", name,
          "solvers of the ODE; this one adds noise, or belongs to distilled networks");

  const std::string_view maker = detail::maker_of(plain, of_diffusers);
  require(maker.empty(), "solver", name, maker);

  std::vector<std::string> known;
  for_each_solver([&](const SolverInfo& entry) {
    known.emplace_back(entry.name);
    if (detail::plain_name(entry.name) == plain) choice.solver = entry.name;
  });
  for (const detail::SolverAlias& alias : detail::solver_aliases()) {
    known.emplace_back(alias.name);
    if (alias.name != plain) continue;
    choice.solver = alias.solver;
    choice.settings = alias.settings;
  }
  if (choice.solver.empty()) detail::unknown_name("solver", plain, known);
  return choice;
}

namespace detail {

/// The settings of a solver as text: "order 2, target denoised".
class SettingsText {
 public:
  void add(std::string_view name, std::string_view value) {
    if (!text_.empty()) text_ += ", ";
    text_.append(name).append(" ").append(value);
  }
  void add(std::string_view name, double value) {
    char digits[32];
    std::snprintf(digits, sizeof digits, "%g", value);
    add(name, std::string_view(digits));
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

template <class S>
std::string settings_text(const S& solver) {
  SettingsText t;
  if constexpr (requires { solver.order; }) t.add("order", solver.order);
  if constexpr (requires { requires std::is_member_object_pointer_v<decltype(&S::target)>; })  // a setting, no constant
    t.add("target", to_string(solver.target));
  if constexpr (requires { solver.variable; }) t.add("variable", to_string(solver.variable));
  if constexpr (requires { solver.variant; }) t.add("variant", to_string(solver.variant));
  if constexpr (requires { solver.lower_order_final; })
    t.add("lower_order_final", solver.lower_order_final ? "true" : "false");
  if constexpr (requires { solver.reaches_zero; })
    if (solver.reaches_zero) t.add("reaches_zero", "true");
  if constexpr (requires { solver.uncorrected; }) t.add("uncorrected", solver.uncorrected);
  if constexpr (requires { solver.predictor.ratio; }) t.add("ratio", solver.predictor.ratio);
  if constexpr (requires { solver.r1; }) {
    t.add("r1", solver.r1);
    t.add("r2", solver.r2);
  }
  return t.text();
}

}  // namespace detail

/// A solver with all of its settings, given or default: "dpmpp: order 2, target denoised, lower_order_final true".
/// @throws std::invalid_argument as make_solver().
inline std::string describe(std::string_view solver, const SolverSettings& settings = {}) {
  make_solver<double>(solver, settings);
  std::string text(solver);
  for_each_solver([&](const auto& entry) {
    if (entry.name != solver) return;
    const std::string all = detail::settings_text(entry.make(settings));
    if (!all.empty()) text += ": " + all;
  });
  return text;
}

namespace detail {

inline Schedule schedule_by_name(std::string_view name, const ScheduleSettings& settings,
                                 const std::optional<TrainingTable>& table) {
  return make_listed_schedule(
      name, [plain = plain_name(name)](std::string_view known) { return plain_name(known) == plain; }, settings, table);
}

}  // namespace detail

/// The schedule that other programs call by this name: schedule_list without case, spaces, dashes and underscores.
/// With the network's table a schedule covers the table's range and ends at 0, as in those programs; schedules at
/// training steps need it.
/// @throws std::invalid_argument as make_schedule().
inline Schedule schedule_by_name(std::string_view name, const ScheduleSettings& settings,
                                 const NoiseTable* table = nullptr) {
  return detail::schedule_by_name(name, settings, detail::training_table(table));
}

/// The same for a flow: a schedule of flow times, for from_flow_native.
inline Schedule schedule_by_name(std::string_view name, const ScheduleSettings& settings, const FlowTable* table) {
  return detail::schedule_by_name(name, settings, detail::training_table(table));
}

}  // namespace fewstep
