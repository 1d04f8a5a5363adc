// How a search spends its calls.
#pragma once

#include "../../errors.hpp"
#include "options.hpp"

#include <algorithm>
#include <cstddef>

namespace fewstep::detail {

inline constexpr int teacher_steps_per_row = 6;

/// The batches and calls of each stage.
struct AutotunePlan {
  std::size_t fitted, held_out;  ///< batches with trajectories of the teacher
  std::size_t unseen;            ///< batches of the report
  bool whole_race;               ///< false: fewer solvers and schedules

  /// @param branches  of the denoiser
  AutotunePlan(const AutotuneOptions& o, std::size_t branches) {
    const double r = o.evaluations, rows = r + 1, calls = static_cast<double>(o.calls);
    const double race = 260 * r, numbers = rows * (rows + 1) / 2 * static_cast<double>(branches) + 2 * rows;
    const double teacher = 2 * teacher_steps_per_row * rows, iteration = numbers * r / 2 + tries * r;
    whole_race = race < calls / 4;
    const double per_batch = teacher + 24 * r + iterations * iteration;
    const double left = 0.85 * calls - (whole_race ? race : race / 8) - 40;
    const auto batches = static_cast<std::size_t>((std::max)(left / per_batch, 0.));
    held_out = std::clamp<std::size_t>(batches / 4, 1, 8);
    fitted = std::clamp<std::size_t>(batches - (std::min)(batches, held_out), 2, 24);
    const auto affordable = static_cast<std::size_t>(0.1 * calls / (teacher + 2 * r));
    unseen = std::clamp<std::size_t>(affordable, 2, 16);
  }

  std::size_t batches() const { return fitted + held_out; }

  static constexpr double tries = 8, iterations = 3;  // that the number of batches allows for
};

}  // namespace fewstep::detail
