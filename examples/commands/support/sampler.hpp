// Solvers on samples and their runs, compiled once for all commands.
#pragma once

#include "condition.hpp"

#include <fewstep/any_solver.hpp>
#include <fewstep/plugin/predictor.hpp>
#include <fewstep/registry.hpp>
#include <fewstep/run.hpp>
#include <fewstep/solvers/table.hpp>

#include <functional>
#include <memory>
#include <string_view>

namespace fewstep {
struct TensorGaussianStart;
}

namespace fewstep::examples {

using SamplesSolver = AnySolver<Samples>;

/// @throws std::invalid_argument as make_solver().
SamplesSolver samples_solver(std::string_view name, const SolverSettings& settings = {});

/// Any time predictor behind one type.
struct SamplesPredictor {
  static constexpr bool per_sample = true;
  std::function<void(const Step<Samples>&, const Features<Samples>* features, Prediction<Samples>& out)> predict;

  void operator()(const Step<Samples>& n, const Features<Samples>* features, Prediction<Samples>& out) const {
    predict(n, features, out);
  }
};

/// The solver with a predictor in place of its ratio, or plugged in.
/// @throws std::invalid_argument as make_solver().
SamplesSolver samples_solver(std::string_view name, const SolverSettings& settings, const SamplesPredictor& predictor);

/// The solver of a table whose numbers the predictor corrects.
/// @throws std::invalid_argument as corrected_table().
SamplesSolver samples_solver(const Table& table, const SamplesPredictor& predictor);

/// A solver with everything that decides its samples.
struct Sampler {
  SamplesSolver solver;
  Schedule schedule;
  Options options = {};
  std::shared_ptr<const TensorGaussianStart> gaussian_start = {};  // of the analytic first step; null: N(0, 1)

  /// @param per_call  evaluations of the network in each call of the denoiser: 2 with guidance; 1: calls of the
  /// denoiser,
  ///                  or for a table that leaves out branches, as many as cost the same
  int nfe(int per_call = 1) const {
    const int branches = per_call == 1 ? static_cast<int>(solver.branches()) : 1;
    return evaluations(solver, schedule, options, per_call * branches) / branches;
  }
};

/// Draws samples.
/// @param unit_noise  [B, shape of a sample...]
Result<Samples> draw(const Sampler& sampler, const ConditionalDenoiser& denoise, const Samples& unit_noise);

/// The same from states at the first level of the run.
/// @param observe  called after each step; may be empty
Result<Samples> draw_from(const Sampler& sampler, const ConditionalDenoiser& denoise, const Samples& x,
                          const std::function<void(const Snapshot<Samples>&)>& observe);

}  // namespace fewstep::examples
