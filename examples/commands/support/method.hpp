// What `evaluate` compares: solvers with all that decides their samples, and the settings that a classic one may have.
#pragma once

#include <fewstep/torch.hpp>
#include <fewstep/torch/gaussian_start.hpp>

#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace fewstep::examples {

/// A solver with everything that decides its samples; `text` says it all and names it in the cache.
struct Method {
  std::string name;
  bool predicted;
  AnySolver<torch::Tensor> solver;
  Schedule schedule;
  Options options;
  std::string text;
  std::shared_ptr<const TensorGaussianStart> start = {};  // of an analytic first step that is not N(0, 1)'s
};

inline std::string text_of(const std::string& schedule, const ScheduleSettings& s) {
  std::ostringstream text;
  text << schedule;
  if (s.rho) text << " " << *s.rho;
  text << ", " << s.steps << " steps";
  return text.str();
}

inline std::string text_of(const Options& o) {
  return !o.analytic_first_step ? "" : o.analytic_in_history ? ", AFS" : ", AFS forgotten";
}

/// Every setting of a classic solver that takes exactly `nfe` evaluations.
/// @param more_levels  one more schedule to try; empty: none
inline std::vector<Method> candidates(const std::string& family, int nfe, const std::vector<double>& more_levels) {
  std::vector<std::pair<std::string, AnySolver<torch::Tensor>>> solvers;
  const auto add = [&](const SolverSettings& settings, const std::string& text) {
    solvers.emplace_back(family + text, make_solver<torch::Tensor>(family, settings));
  };
  if (family == "dpmpp" || family == "unipc" || family == "dpm_singlestep" || family == "res") {
    for (const int order : {2, 3}) add({.order = order}, " " + std::to_string(order));
  } else if (family == "ipndm" || family == "ipndm_v" || family == "deis") {
    for (const int order : {2, 3, 4}) add({.order = order}, " " + std::to_string(order));
  } else if (family == "amed") {
    for (const double ratio : {0.3, 0.4, 0.5}) add({.ratio = ratio}, " ratio " + std::to_string(ratio).substr(0, 3));
  } else {
    add({}, "");
  }
  const bool one_step =
      family == "euler" || family == "heun" || family == "dpm2" || family == "amed" || family == "dpm_singlestep";
  std::vector<std::pair<std::string, Schedule>> schedules;
  if (!more_levels.empty()) {
    std::ostringstream text;
    text << "levels";
    for (const double level : more_levels) text << " " << level;
    schedules.emplace_back(text.str(), Schedule(more_levels));
  }
  for (const auto& [name, rho] : {std::pair<const char*, std::optional<double>>{"karras", 7},
                                  {"karras", 5},
                                  {"log_uniform", {}},
                                  {"time_uniform", 1}})
    for (int steps = 1; steps <= nfe + 1; ++steps) {
      const ScheduleSettings settings{.steps = steps, .rho = rho};
      schedules.emplace_back(text_of(name, settings), make_schedule(name, settings));
    }
  std::vector<Method> all;
  for (const auto& [levels, schedule] : schedules)
    for (const auto& [text, solver] : solvers)
      for (const Options& options : {Options{}, Options{.analytic_first_step = true},
                                     Options{.analytic_first_step = true, .analytic_in_history = false}})
        if ((options.analytic_in_history || !one_step) && evaluations(solver, schedule, options) == nfe)
          all.push_back({family, false, solver, schedule, options, text + ", " + levels});
  return all;
}

}  // namespace fewstep::examples
