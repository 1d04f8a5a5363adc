// The best classic solver for a network at some NFE, which a fitted sampler has to beat.
#pragma once

#include <fewstep/solvers/table.hpp>

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace fewstep::examples {

struct ClassicSolver {
  std::string text;             // "ipndm 2, time_uniform, 6 steps, AFS"
  std::size_t raced = 0;        // settings, of which it is the best
  std::vector<double> squares;  // of its distances, for all batches
};

/// Squared distances per number between the ends of a table's run and a teacher's, one per sample of a batch;
/// fewstep::detail::lost_sample where not finite.
using EndSquares = std::function<std::vector<double>(const Table& table, bool analytic_first_step, std::size_t batch)>;

/// Races classic solvers, orders, schedules and first steps on the first batch, and the best few on all batches.
/// @param evaluations           per sample
/// @param sigma_min, sigma_max  the range of the schedules
/// @param batches               1 or more
ClassicSolver best_classic(int evaluations, double sigma_min, double sigma_max, std::size_t batches,
                           const EndSquares& squares);

}  // namespace fewstep::examples
