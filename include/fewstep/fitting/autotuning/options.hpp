// What autotune() is given, and what it returns.
#pragma once

#include "../../errors.hpp"
#include "../../options.hpp"
#include "../calibration/options.hpp"
#include "comparison.hpp"
#include "level_check.hpp"
#include "race.hpp"

#include <array>
#include <cmath>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fewstep {

/// The stages of autotune(), in their order.
enum class AutotuneStage { check, teacher, race, start, refine, report };
constexpr std::array<std::string_view, 6> names_of(AutotuneStage) {
  return {"check", "teacher", "race", "start", "refine", "report"};
}

/// A table to fit from, with its first step.
struct AutotuneStart {
  std::string text;    ///< "time_uniform, 6 steps, AFS, branches"
  std::string family;  ///< of its schedule
  Table table;         ///< as fitted by least squares
  bool analytic_first_step = false;
  double rms = 0, median = 0;  ///< held-out distances per number
  double score() const { return std::sqrt(rms * median); }
};

/// How far autotune() has come; also what AutotuneOptions::resume takes.
struct AutotuneState {
  AutotuneStage stage = AutotuneStage::check;  ///< the next one
  std::size_t calls = 0;                       ///< of the denoiser so far, each with one batch
  std::optional<LevelCheck> check = {};
  std::vector<Racer> leaders = {};         ///< the best classic solvers, the best first
  std::vector<AutotuneStart> starts = {};  ///< the best tables that were fitted by least squares, the best first
  std::size_t batches = 0;                 ///< with the teacher's trajectories, that are fitted to or held out
  std::optional<CalibrationProgress> refinement = {};
  int idle = 0;  ///< the last iterations of the refinement that gained little
};

struct AutotuneOptions {
  /// Evaluations of the denoiser per sample, 2 to 100. With guidance each stands for two of the network.
  int evaluations = 5;
  /// Calls of the denoiser, each with one batch, that the whole search may take; 1,000 or more. It decides how many
  /// solvers race and how many trajectories are fitted to; 10,000 are useful.
  std::size_t calls = 10'000;
  /// The range of noise levels; sigma_max is lowered where the denoiser is of no use.
  double sigma_min = 0.002, sigma_max = 80;
  /// Whether the branches of a guided denoiser are weighed apart, and evaluations left out where more levels help more.
  bool branches = true;
  /// Called between stages and within the longer ones; false stops, and the best so far is returned without a report.
  std::function<bool(const AutotuneState&)> report = {};
  /// Continues an earlier search with the same denoiser, noise and options. The teacher's trajectories are computed
  /// again.
  std::optional<AutotuneState> resume = {};

  /// @throws std::invalid_argument naming the option out of range.
  void validate() const {
    require(evaluations >= 2 && evaluations <= 100, "evaluations", evaluations, "2 to 100");
    require(calls >= 1'000, "calls", calls, "1000 or more");
    require(sigma_min > 0, "sigma_min", sigma_min, "positive numbers");
    require(sigma_max > sigma_min && std::isfinite(sigma_max), "sigma_max", sigma_max, "above sigma_min");
  }
};

/// The solver that autotune() found.
struct Autotuned {
  Table table;                       ///< with its levels: sample(table, denoise, table.schedule(), noise, options())
  bool analytic_first_step = false;  ///< whether it is run with one
  std::string text;                  ///< how it was found
  LevelCheck check;
  std::vector<Racer> leaders;  ///< the best classic solvers, the best first
  UnseenComparison unseen;     ///< against the best classic solver; without samples where the search was stopped
  std::vector<std::string> notes;

  Options options() const { return {.analytic_first_step = analytic_first_step}; }
};

}  // namespace fewstep
