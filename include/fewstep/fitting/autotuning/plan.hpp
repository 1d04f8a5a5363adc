// How a search spends its calls.
#pragma once

#include "../../errors.hpp"
#include "options.hpp"

#include <algorithm>
#include <cstddef>

namespace fewstep::detail {

inline constexpr int teacher_steps_per_row = 6;

/// The batches of each stage, and what they cost.
class AutotunePlan {
 public:
  /// @param branches  of the denoiser
  /// @param samples   in a batch
  AutotunePlan(const AutotuneOptions& o, std::size_t branches, std::size_t samples)
      : calls_(o.calls),
        evaluations_(static_cast<std::size_t>(o.evaluations)),
        branches_(branches),
        of_jacobian_((samples_of_jacobian + samples - 1) / samples) {
    whole_race = calls_of_race * evaluations_ < calls_ / 3;
    unseen = std::clamp<std::size_t>(calls_ / 10 / teacher(), 2, 16);
    const std::size_t once = (whole_race ? calls_of_race : calls_of_race / 2) + calls_of_starts;
    const std::size_t fixed = once * evaluations_ + iterations * iteration(0);
    const std::size_t of_batch =
        teacher() + calls_of_finalists * evaluations_ + iterations * (iteration(1) - iteration(0));
    first = std::clamp<std::size_t>((left(0) - (std::min)(left(0), fixed)) / of_batch, 4, 8);
  }

  std::size_t first;                            ///< batches that solvers race on and tables are first fitted to
  std::size_t unseen;                           ///< batches of the report
  bool whole_race;                              ///< false: fewer solvers and schedules
  static constexpr std::size_t most = 32;       ///< batches that are fitted to or held out
  static constexpr std::size_t iterations = 8;  ///< of the fit, for which there should be calls

  /// Share of the samples that are held out to select the best table: whole batches, about a quarter.
  static double held_out_share(std::size_t batches) {
    return static_cast<double>((std::max)(batches / 4, std::size_t{1})) / static_cast<double>(batches);
  }

  /// Calls of the teacher, for one batch.
  std::size_t teacher() const { return 2 * static_cast<std::size_t>(teacher_steps_per_row) * (evaluations_ + 1); }

  /// Calls of an iteration of the fit, about.
  std::size_t iteration(std::size_t batches) const {
    constexpr std::size_t tries = 5;
    const std::size_t rows = evaluations_ + 1, numbers = rows * (rows + 1) / 2 * branches_ + 2 * rows;
    return of_jacobian_ * numbers * evaluations_ / 2 + tries * evaluations_ * batches;
  }

  /// Calls that are left for the fit once some were made: without those of the report.
  std::size_t left(std::size_t made) const {
    const std::size_t spoken_for = made + unseen * (teacher() + 2 * evaluations_);
    return calls_ - (std::min)(calls_, spoken_for);
  }

  /// Batches with which the calls that are left suffice for some iterations.
  /// @param batches  that there are
  /// @param made     calls so far
  /// @param count    of iterations
  std::size_t affordable(std::size_t batches, std::size_t made, std::size_t count) const {
    const std::size_t fixed = count * iteration(batches), of_batch = teacher() + count * (iteration(1) - iteration(0));
    return (std::min)(most, batches + (left(made) - (std::min)(left(made), fixed)) / of_batch);
  }

 private:
  // Of each evaluation: a race of all solvers, all starts on few batches, the best of them on a batch.
  static constexpr std::size_t calls_of_race = 364, calls_of_starts = 72, calls_of_finalists = 18;
  static constexpr std::size_t samples_of_jacobian = 40;  // of an iteration that begins
  std::size_t calls_, evaluations_, branches_, of_jacobian_;
};

}  // namespace fewstep::detail
