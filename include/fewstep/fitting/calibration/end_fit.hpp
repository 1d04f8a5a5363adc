// The later stages of a calibration: all numbers of a table by Gauss-Newton steps on the ends of its runs.
#pragma once

#include "distances.hpp"
#include "end_jacobian.hpp"
#include "sample_sums.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

namespace fewstep::detail {

/// Levenberg's damping: at most `initial_damping` when an iteration begins, then divided by `damping_factor` after each
/// accepted step and multiplied by it after each rejected one.
inline constexpr double initial_damping = 1e-2, least_damping = 1e-12, damping_factor = 10;

/// Gauss-Newton normal equations for the end features, summed over the fitted samples with the weights of Cauchy's
/// loss. Samples with a non-finite distance or derivative are ignored.
/// @param squares  squared distances of the fitted samples
/// @param median   of these distances
template <State X>
NormalEquations end_equations(const TableRunner<X>& runner, const std::vector<TableRun<X>>& runs,
                              const EndJacobian<X>& jacobian, std::size_t parameters,
                              const std::vector<double>& squares, std::size_t fitted, double median) {
  NormalEquations equations(parameters);
  for (std::size_t k = 0; k < jacobian.batches().size(); ++k) {
    const std::size_t b = jacobian.batches()[k];
    const X target = runner.to_teacher(b, runs[b]);
    const std::size_t first = runner.first_sample(b);
    std::vector<double> weights(sample_count(target));
    for (std::size_t n = 0; n < weights.size() && first + n < fitted; ++n)
      if (squares[first + n] != lost_sample) weights[n] = cauchy_weight(squares[first + n], median);
    for (std::size_t i = 0; i < parameters; ++i) {
      const std::vector<double> own = algebra<X>::dot(jacobian(k, i), jacobian(k, i));
      for (std::size_t n = 0; n < own.size(); ++n)
        if (!std::isfinite(own[n])) weights[n] = 0;
    }
    add_batch(equations, jacobian.columns(k), target, weights);
  }
  return equations;
}

struct DampedStep {
  std::vector<double> amounts;  ///< one per parameter; non-finite where there is no finite solution
  Table table;                  ///< moved by these amounts
};

/// Solves the damped normal equations. While the moved table is not valid, e.g. its levels are out of order, the
/// damping is increased, which makes the step shorter.
inline DampedStep damped_step(const Table& table, const std::vector<TableParameter>& parameters,
                              const NormalEquations& equations, double& damping) {
  for (;; damping *= damping_factor) {
    SymmetricMatrix damped = equations.matrix;
    for (std::size_t i = 0; i < damped.size(); ++i) damped(i, i) *= 1 + damping;
    DampedStep step{solve_symmetric(std::move(damped), equations.right), table};
    for (std::size_t i = 0; i < parameters.size(); ++i) shift(step.table, parameters[i], step.amounts[i]);
    if (!all_finite(step.amounts) || is_valid(step.table)) return step;
  }
}

/// One Gauss-Newton iteration on the end features of the fitted samples, with Levenberg's damping and Cauchy's loss.
/// The Jacobian costs many runs, so several steps are tried with it; each costs one run, after which the Jacobian is
/// corrected (Broyden). Steps that lower the loss are accepted.
/// @param runs      those of `table`, before and after
/// @param fitted    the number of samples that are fitted to, the first ones
/// @param batches   of whose samples the Jacobian is; the loss is that of all fitted ones
/// @param tries     steps to try
/// @param patience  steps in a row that gain little, after which no more are tried
/// @return the share of the loss that was removed; 0 where no step was accepted
template <State X>
double fit_ends(Table& table, const TableRunner<X>& runner, std::vector<TableRun<X>>& runs, std::size_t fitted,
                const std::vector<std::size_t>& batches, int tries, int patience, double& damping) {
  constexpr double little = 0.99;  // of the loss, kept by a try
  const std::vector<TableParameter> parameters = table_parameters(table, runner.analytic_first_step());
  EndJacobian<X> jacobian(table, runner, runs, parameters, batches);
  std::vector<double> squares = runner.squared_distances(runs, 0, fitted);
  double kept = 1;  // of the loss
  int idle = 0;     // tries in a row that removed little of it
  damping = (std::min)(damping, initial_damping);
  for (; tries > 0 && idle < patience; --tries) {
    const double median = median_of(squares);
    const NormalEquations equations = end_equations(runner, runs, jacobian, parameters.size(), squares, fitted, median);
    DampedStep step = damped_step(table, parameters, equations, damping);
    if (!all_finite(step.amounts)) break;

    std::vector<TableRun<X>> moved_runs = runner.run_all(step.table);
    std::vector<double> diagonal(parameters.size());
    for (std::size_t i = 0; i < parameters.size(); ++i) diagonal[i] = equations.matrix(i, i);
    jacobian.update(runner, runs, moved_runs, step.amounts, diagonal);
    std::vector<double> moved_squares = runner.squared_distances(moved_runs, 0, fitted);
    const double before = cauchy_loss(squares, median), after = cauchy_loss(moved_squares, median);
    if (after < before) {
      table = std::move(step.table);
      runs = std::move(moved_runs);
      squares = std::move(moved_squares);
      kept *= after / before;
      damping = (std::max)(damping / damping_factor, least_damping);
    } else {
      damping *= damping_factor;
    }
    idle = after < little * before ? 0 : idle + 1;
  }
  return 1 - kept;
}

}  // namespace fewstep::detail
