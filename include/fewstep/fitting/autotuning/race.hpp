// Classic solvers against each other, on one model.
#pragma once

#include "../../options.hpp"
#include "../../registry.hpp"
#include "../../schedules.hpp"
#include "../in_slopes.hpp"
#include "../tabulate.hpp"
#include "comparison.hpp"

#include <array>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fewstep {

/// A way to space noise levels.
struct ScheduleFamily {
  std::string_view name;
  Schedule (*make)(int steps, double sigma_min, double sigma_max);
};

/// The spacings that autotune() tries.
inline constexpr std::array<ScheduleFamily, 6> raced_schedules{
    ScheduleFamily{"karras 7",
                   [](int n, double low, double high) {
                     return karras({.steps = n, .rho = 7, .sigma_min = low, .sigma_max = high});
                   }},
    {"karras 4", [](int n, double low,
                    double high) { return karras({.steps = n, .rho = 4, .sigma_min = low, .sigma_max = high}); }},
    {"log_uniform",
     [](int n, double low, double high) { return log_uniform({.steps = n, .sigma_min = low, .sigma_max = high}); }},
    {"time_uniform",
     [](int n, double low, double high) { return time_uniform({.steps = n, .sigma_min = low, .sigma_max = high}); }},
    {"kl_optimal",
     [](int n, double low, double high) { return kl_optimal({.steps = n, .sigma_min = low, .sigma_max = high}); }},
    {"flow_uniform",
     [](int n, double low, double high) { return flow_uniform({.steps = n, .sigma_min = low, .sigma_max = high}); }}};

/// A classic solver on a schedule, as a table.
struct Racer {
  std::string text;    ///< "unipc 2, time_uniform, 5 steps, AFS"
  std::string family;  ///< of its schedule
  Table table;
  bool analytic_first_step = false;
  double rms = 0, median = 0;  ///< distances per number to the teacher, once raced

  /// What racers are ranked by: the geometric mean of both distances, since a few far samples decide the RMS.
  double score() const { return std::sqrt(rms * median); }

  /// Sets the distances, which are infinite where a sample is lost.
  void rate(const EndDistances& ends) {
    rms = ends.lost == 0 ? ends.rms : std::numeric_limits<double>::infinity();
    median = ends.lost == 0 ? ends.median : std::numeric_limits<double>::infinity();
  }
};

namespace detail {

inline std::vector<ScheduleFamily> families(bool all) {
  std::vector<ScheduleFamily> chosen;
  for (const ScheduleFamily& family : raced_schedules)
    if (all || family.name == "karras 7" || family.name == "time_uniform" || family.name == "flow_uniform")
      chosen.push_back(family);
  return chosen;
}

template <class Entry>
std::vector<std::pair<std::string, SolverSettings>> raced_settings(const Entry& entry) {
  std::vector<std::pair<std::string, SolverSettings>> all;
  const std::string name(entry.name);
  for (const int order : entry.few_step_orders) all.push_back({name + " " + std::to_string(order), {.order = order}});
  if (all.empty()) all.push_back({name, {}});
  return all;
}

}  // namespace detail

/// All solvers of the registry that compare well at few steps, at their orders for few steps, on all raced schedules
/// with and without an analytic first step, that take `evaluations` evaluations.
/// @param evaluations           of the denoiser, per sample; 1 or more
/// @param sigma_min, sigma_max  the range of the schedules
/// @param whole                 false: only the three solvers and schedules that win most often
inline std::vector<Racer> racers(int evaluations, double sigma_min, double sigma_max, bool whole = true) {
  std::vector<Racer> all;
  for_each_solver([&](const auto& entry) {
    if (!entry.few_step) return;
    if (!whole && entry.name != "ipndm" && entry.name != "dpmpp" && entry.name != "unipc") return;
    for (const auto& [text, settings] : detail::raced_settings(entry))
      for (const ScheduleFamily& family : detail::families(whole))
        for (const bool analytic : {false, true})
          for (int steps = 1; steps <= evaluations + analytic; ++steps) {
            const auto solver = entry.make(settings);
            const Schedule schedule = family.make(steps, sigma_min, sigma_max);
            if (fewstep::evaluations(solver, schedule, {.analytic_first_step = analytic}) != evaluations) continue;
            try {
              all.push_back({text + ", " + std::string(family.name) + ", " + std::to_string(steps) + " steps" +
                                 (analytic ? ", AFS" : ""),
                             std::string(family.name), tabulate(solver, schedule), analytic});
            } catch (const std::invalid_argument&) {
              continue;  // no table: PNDM
            }
          }
  });
  return all;
}

}  // namespace fewstep
