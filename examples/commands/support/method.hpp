// Samplers that `evaluate` compares, described by text, and the settings that it tries for a classic solver.
#pragma once

#include "sampler.hpp"
#include "subject.hpp"

#include <fewstep/run.hpp>
#include <fewstep/schedule_registry.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace fewstep::examples {

/// A sampler with its name and description.
struct Method {
  std::string name;   // of the row: a solver's name, or a file's without its extension
  bool fitted;        // a predictor or a table; false: a classic solver
  std::string setup;  // solver and schedule, such as "ipndm 3, karras 7, 5 steps", or the fingerprint of a file
  Sampler sampler;

  /// Describes everything that decides the samples, apart from network, classes and noise. Part of the cache's keys.
  std::string text() const;
};

/// ", AFS", ", AFS forgotten" or empty text.
std::string text_of(const Options& options);
/// "karras 7, 5 steps".
std::string text_of(std::string_view schedule, const ScheduleSettings& settings);

/// All settings of a classic solver that take exactly `nfe` evaluations: its orders and ratios for few steps
/// (registry.hpp), four schedules, with and without an analytic first step.
/// @param subject  whose levels the schedules cover
/// @param more_levels  noise levels of one more schedule; empty: none
std::vector<Method> candidates(const std::string& solver, int nfe, const std::vector<double>& more_levels,
                               const Subject& subject);

}  // namespace fewstep::examples
