// The list of schedules by name. A new schedule is its file, one #include in schedules.hpp and one entry here:
// make_schedule(), schedule_by_name() and the commands read the list.
#pragma once

#include "errors.hpp"
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
  int steps = 5;                         ///< 1 or more
  std::optional<double> rho = {};        ///< exponent; unset: the schedule's own default
  std::optional<double> sigma_min = {};  ///< last level above 0; unset: the table's, without a table 0.002
  std::optional<double> sigma_max = {};  ///< first level; unset: the table's, without a table 80
  std::optional<End> end = {};           ///< the last level: sigma_min or 0; unset: 0 with a table, else sigma_min
  std::vector<double> levels = {};       ///< all noise levels, for the schedule "custom" only
};

/// What a named schedule is made from: a range of noise levels, the first one alone (it ends at 0), a published list,
/// the training steps of a network's table (it ends at 0), or levels that the caller gives.
enum class ScheduleKind { range, top, list, training_steps, levels };

/// The settings of a schedule over levels, with all defaults in place.
struct ScheduleRange {
  int steps;
  std::optional<double> rho;
  double sigma_min, sigma_max;
  End end;
};

/// A named schedule.
struct ScheduleEntry {
  using OverLevels = Schedule (*)(const ScheduleRange&);
  using AtSteps = Schedule (*)(const TrainingTable&, int steps);
  using Aliases = std::array<std::string_view, 2>;

  std::string_view name;
  Aliases aliases;          ///< other names; empty text for none
  std::string_view source;  ///< paper or program
  ScheduleKind kind;
  bool has_rho = false;              ///< whether ScheduleSettings::rho has a meaning
  OverLevels over_levels = nullptr;  ///< of the kinds range, top and list
  AtSteps at_steps = nullptr;        ///< of the kind training_steps

  bool needs_table() const { return kind == ScheduleKind::training_steps; }
};

namespace detail {

constexpr ScheduleEntry range_schedule(std::string_view name, ScheduleEntry::Aliases aliases, std::string_view source,
                                       bool has_rho, ScheduleEntry::OverLevels make) {
  return {name, aliases, source, ScheduleKind::range, has_rho, make};
}

constexpr ScheduleEntry step_schedule(std::string_view name, ScheduleEntry::Aliases aliases, std::string_view source,
                                      ScheduleEntry::AtSteps make) {
  return {name, aliases, source, ScheduleKind::training_steps, false, nullptr, make};
}

constexpr ScheduleEntry list_schedule(std::string_view name, ScheduleEntry::OverLevels make) {
  return {name, {}, "arXiv 2404.14507", ScheduleKind::list, false, make};
}

constexpr ScheduleEntry top_schedule(std::string_view name, std::string_view source, ScheduleEntry::OverLevels make) {
  return {name, {}, source, ScheduleKind::top, false, make};
}

}  // namespace detail

inline constexpr ScheduleEntry schedule_list[]{
    detail::range_schedule(
        "karras", {"polynomial"}, "arXiv 2206.00364", true,
        [](const ScheduleRange& s) { return karras({s.steps, s.rho.value_or(7), s.sigma_min, s.sigma_max, s.end}); }),
    detail::range_schedule(
        "log_uniform", {"logsnr", "exponential"}, "arXiv 2206.00927", false,
        [](const ScheduleRange& s) { return log_uniform({s.steps, s.sigma_min, s.sigma_max, s.end}); }),
    detail::range_schedule(
        "flow_uniform", {}, "arXiv 2209.03003", false,
        [](const ScheduleRange& s) { return flow_uniform({s.steps, s.sigma_min, s.sigma_max, s.end}); }),
    detail::range_schedule("time_uniform", {}, "arXiv 2011.13456", true,
                           [](const ScheduleRange& s) {
                             return time_uniform({s.steps, s.rho.value_or(1), s.sigma_min, s.sigma_max, 1e-3, s.end});
                           }),
    detail::range_schedule(
        "time_quadratic", {}, "arXiv 2011.13456", false,
        [](const ScheduleRange& s) { return time_uniform({s.steps, 2, s.sigma_min, s.sigma_max, 1e-3, s.end}); }),
    detail::range_schedule(
        "kl_optimal", {}, "arXiv 2404.14507", false,
        [](const ScheduleRange& s) { return kl_optimal({s.steps, s.sigma_min, s.sigma_max, s.end}); }),
    detail::range_schedule("polyexponential", {}, "k-diffusion", true,
                           [](const ScheduleRange& s) {
                             return polyexponential({s.steps, s.rho.value_or(1), s.sigma_min, s.sigma_max, s.end});
                           }),
    detail::top_schedule(
        "linear_quadratic", "ComfyUI",
        [](const ScheduleRange& s) { return linear_quadratic({.steps = s.steps, .sigma_max = s.sigma_max}); }),
    detail::top_schedule("bong_tangent", "RES4LYF",
                         [](const ScheduleRange& s) { return bong_tangent({s.steps, s.sigma_max}); }),
    detail::list_schedule("ays_sd1", [](const ScheduleRange& s) { return align_your_steps("sd1", s.steps, s.end); }),
    detail::list_schedule("ays_sdxl", [](const ScheduleRange& s) { return align_your_steps("sdxl", s.steps, s.end); }),
    detail::list_schedule("ays_svd", [](const ScheduleRange& s) { return align_your_steps("svd", s.steps, s.end); }),
    detail::step_schedule("normal", {"discrete"}, "ComfyUI", normal),
    detail::step_schedule("sgm_uniform", {}, "ComfyUI", sgm_uniform),
    detail::step_schedule("simple", {}, "ComfyUI", simple),
    detail::step_schedule("ddim_uniform", {}, "ComfyUI", ddim_uniform),
    detail::step_schedule("beta", {}, "arXiv 2407.12173",
                          [](const TrainingTable& table, int steps) { return beta_quantiles(table, steps); }),
    detail::step_schedule("trailing", {}, "arXiv 2305.08891",
                          [](const TrainingTable& table, int steps) {
                            return at_training_steps(
                                table, training_steps(table.size(), {.steps = steps, .spacing = Spacing::trailing}));
                          }),
    ScheduleEntry{"custom", {}, "", ScheduleKind::levels}};

/// Calls f(entry) for every named schedule.
template <class F>
void for_each_schedule(F f) {
  for (const ScheduleEntry& entry : schedule_list) f(entry);
}

/// Whether a schedule of this name covers a range of levels, which sigma_min and sigma_max set.
inline bool is_range_schedule(std::string_view name) {
  bool range = false;
  for (const ScheduleEntry& entry : schedule_list)
    if (entry.name == name || entry.aliases[0] == name || entry.aliases[1] == name)
      range = entry.kind == ScheduleKind::range;
  return range;
}

namespace detail {

inline void require_schedule_settings(const ScheduleEntry& entry, const std::string& name,
                                      const ScheduleSettings& settings, const std::optional<TrainingTable>& table) {
  const bool range = entry.kind == ScheduleKind::range;
  const auto lacks = [&](std::string_view setting, bool given, bool has) {
    require(has || !given, setting, "given", {"not with the schedule ", name});
  };
  require(entry.kind == ScheduleKind::levels || settings.levels.empty(), "levels", "given",
          "none with the schedule " + name + "; with custom");
  require(entry.has_rho || !settings.rho, "rho", settings.rho.value_or(0), "not with the schedule " + name);
  lacks("sigma_min", settings.sigma_min.has_value(), range);
  lacks("sigma_max", settings.sigma_max.has_value(), range || entry.kind == ScheduleKind::top);
  lacks("end", settings.end.has_value(), range || entry.kind == ScheduleKind::list);
  require(!entry.needs_table() || table, "table", "none",
          "the network's NoiseTable or FlowTable, for the schedule " + name);
  require(entry.kind != ScheduleKind::list || !table || !table->is_flow(), "schedule", name,
          "schedules other than lists for a flow");
}

/// The settings with all defaults in place.
inline ScheduleRange schedule_range(const ScheduleSettings& s, const std::optional<TrainingTable>& table = {}) {
  ScheduleRange range{s.steps, s.rho, 0.002, 80, End::sigma_min};
  if (table) range = {s.steps, s.rho, table->sigma_min(), table->sigma_max(), End::zero};
  range.sigma_min = s.sigma_min.value_or(range.sigma_min);
  range.sigma_max = s.sigma_max.value_or(range.sigma_max);
  range.end = s.end.value_or(range.end);
  return range;
}

inline Schedule schedule_of(const ScheduleEntry& entry, const ScheduleSettings& s,
                            const std::optional<TrainingTable>& table) {
  if (entry.kind == ScheduleKind::levels) return Schedule(s.levels);
  return entry.needs_table() ? entry.at_steps(*table, s.steps) : entry.over_levels(schedule_range(s, table));
}

/// Makes the first schedule of the list one of whose names `matches`.
template <class Matches>
Schedule make_listed_schedule(std::string_view asked, const Matches& matches, const ScheduleSettings& settings,
                              const std::optional<TrainingTable>& table) {
  std::vector<std::string> known;
  for (const ScheduleEntry& entry : schedule_list) {
    bool found = false;
    for (const std::string_view name : {entry.name, entry.aliases[0], entry.aliases[1]}) {
      if (name.empty()) continue;
      known.emplace_back(name);
      found = found || matches(name);
    }
    if (!found) continue;
    require_schedule_settings(entry, std::string(asked), settings, table);
    return schedule_of(entry, settings, table);
  }
  unknown_name("schedule", asked, known);
}

template <class Table>
std::optional<TrainingTable> training_table(const Table* table) {
  return table ? std::optional<TrainingTable>(*table) : std::nullopt;
}

inline Schedule make_schedule(std::string_view name, const ScheduleSettings& settings,
                              const std::optional<TrainingTable>& table) {
  return make_listed_schedule(name, [name](std::string_view known) { return known == name; }, settings, table);
}

}  // namespace detail

/// The schedule with this name.
/// @param name  a name or alias of schedule_list
/// @param table  the noise table that the network was trained with; required by schedules at training steps. With it,
/// a schedule covers the table's range and ends at 0, unless the settings say otherwise
/// @throws std::invalid_argument for an unknown name (listing the known ones), a setting that the schedule lacks, or a
/// value out of range.
inline Schedule make_schedule(std::string_view name, const ScheduleSettings& settings,
                              const NoiseTable* table = nullptr) {
  return detail::make_schedule(name, settings, detail::training_table(table));
}

/// The same for a flow: a schedule of flow times, for from_flow_native.
inline Schedule make_schedule(std::string_view name, const ScheduleSettings& settings, const FlowTable* table) {
  return detail::make_schedule(name, settings, detail::training_table(table));
}

}  // namespace fewstep
