// The list of schedules by name. A new schedule is its file, one #include in schedules.hpp and one entry here:
// make_schedule(), schedule_by_name() and the commands read the list.
#pragma once

#include "schedules.hpp"
#include "unknown_name.hpp"

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fewstep {

/// The settings of a schedule that is chosen by name. make_schedule() refuses a setting that the schedule lacks.
struct ScheduleSettings {
  int steps = 5;                             ///< 1 or more
  std::optional<double> rho = {};            ///< exponent; unset: the schedule's own default
  double sigma_min = 0.002, sigma_max = 80;  ///< range of noise levels
  End end = End::sigma_min;                  ///< whether the last level is sigma_min or 0
  std::vector<double> levels = {};           ///< all noise levels, for the schedule "custom" only
};

/// A named schedule: either over a range of noise levels, or at the training steps of a network's NoiseTable.
struct ScheduleEntry {
  using OverLevels = Schedule (*)(const ScheduleSettings&);
  using AtSteps = Schedule (*)(const NoiseTable&, int steps);  // ends at 0
  using Aliases = std::array<std::string_view, 2>;

  std::string_view name;
  Aliases aliases;          ///< other names; empty text for none
  std::string_view source;  ///< paper or program
  bool has_rho;             ///< whether ScheduleSettings::rho has a meaning
  OverLevels over_levels;   ///< null for a schedule at training steps
  AtSteps at_steps;         ///< null for a schedule over a range of levels

  constexpr ScheduleEntry(std::string_view n, Aliases a, std::string_view from, bool rho, OverLevels make)
      : name(n), aliases(a), source(from), has_rho(rho), over_levels(make), at_steps(nullptr) {}
  constexpr ScheduleEntry(std::string_view n, Aliases a, std::string_view from, AtSteps make)
      : name(n), aliases(a), source(from), has_rho(false), over_levels(nullptr), at_steps(make) {}

  bool needs_table() const { return at_steps != nullptr; }
};

inline constexpr ScheduleEntry schedule_list[]{
    {"karras",
     {"polynomial"},
     "arXiv 2206.00364",
     true,
     [](const ScheduleSettings& s) { return karras({s.steps, s.rho.value_or(7), s.sigma_min, s.sigma_max, s.end}); }},
    {"log_uniform",
     {"logsnr", "exponential"},
     "arXiv 2206.00927",
     false,
     [](const ScheduleSettings& s) { return log_uniform({s.steps, s.sigma_min, s.sigma_max, s.end}); }},
    {"time_uniform",
     {},
     "arXiv 2011.13456",
     true,
     [](const ScheduleSettings& s) {
       return time_uniform({s.steps, s.rho.value_or(1), s.sigma_min, s.sigma_max, 1e-3, s.end});
     }},
    {"time_quadratic",
     {},
     "arXiv 2011.13456",
     false,
     [](const ScheduleSettings& s) { return time_uniform({s.steps, 2, s.sigma_min, s.sigma_max, 1e-3, s.end}); }},
    {"kl_optimal",
     {},
     "arXiv 2404.14507",
     false,
     [](const ScheduleSettings& s) { return kl_optimal({s.steps, s.sigma_min, s.sigma_max, s.end}); }},
    {"polyexponential",
     {},
     "k-diffusion",
     true,
     [](const ScheduleSettings& s) {
       return polyexponential({s.steps, s.rho.value_or(1), s.sigma_min, s.sigma_max, s.end});
     }},
    {"ays_sd1",
     {},
     "arXiv 2404.14507",
     false,
     [](const ScheduleSettings& s) { return align_your_steps("sd1", s.steps, s.end); }},
    {"ays_sdxl",
     {},
     "arXiv 2404.14507",
     false,
     [](const ScheduleSettings& s) { return align_your_steps("sdxl", s.steps, s.end); }},
    {"ays_svd",
     {},
     "arXiv 2404.14507",
     false,
     [](const ScheduleSettings& s) { return align_your_steps("svd", s.steps, s.end); }},
    {"normal", {"discrete"}, "ComfyUI", normal},
    {"sgm_uniform", {"trailing"}, "ComfyUI", sgm_uniform},
    {"simple", {}, "ComfyUI", simple},
    {"ddim_uniform", {}, "ComfyUI", ddim_uniform},
    {"beta", {}, "arXiv 2407.12173", [](const NoiseTable& table, int steps) { return beta_quantiles(table, steps); }},
    {"custom", {}, "", false, [](const ScheduleSettings& s) { return Schedule(s.levels); }}};

/// Calls f(entry) for every named schedule.
template <class F>
void for_each_schedule(F f) {
  for (const ScheduleEntry& entry : schedule_list) f(entry);
}

namespace detail {

/// Makes the first schedule of the list one of whose names `matches`.
template <class Matches>
Schedule make_listed_schedule(std::string_view asked, const Matches& matches, const ScheduleSettings& settings,
                              const NoiseTable* table) {
  std::vector<std::string> known;
  for (const ScheduleEntry& entry : schedule_list) {
    bool found = false;
    for (const std::string_view name : {entry.name, entry.aliases[0], entry.aliases[1]}) {
      if (name.empty()) continue;
      known.emplace_back(name);
      found = found || matches(name);
    }
    if (!found) continue;
    const std::string schedule(asked);
    require(entry.name == "custom" || settings.levels.empty(), "levels", "given",
            "none with the schedule " + schedule + "; with custom");
    require(entry.has_rho || !settings.rho, "rho", settings.rho.value_or(0), "not with the schedule " + schedule);
    require(!entry.needs_table() || table, "table", "none", "the network's NoiseTable, for the schedule " + schedule);
    return entry.needs_table() ? entry.at_steps(*table, settings.steps) : entry.over_levels(settings);
  }
  unknown_name("schedule", asked, known);
}

}  // namespace detail

/// The schedule with this name.
/// @param name  a name or alias of schedule_list
/// @param table  the noise table that the network was trained with; required by schedules at training steps, unused by
/// others
/// @throws std::invalid_argument for an unknown name (listing the known ones), a setting that the schedule lacks, or a
/// value out of range.
inline Schedule make_schedule(std::string_view name, const ScheduleSettings& settings,
                              const NoiseTable* table = nullptr) {
  return detail::make_listed_schedule(name, [name](std::string_view known) { return known == name; }, settings, table);
}

}  // namespace fewstep
