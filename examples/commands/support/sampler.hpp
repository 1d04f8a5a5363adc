// Solvers on tensors and their runs, compiled once for all commands.
#pragma once

#include "condition.hpp"

#include <fewstep/any_solver.hpp>
#include <fewstep/plugin/predictor.hpp>
#include <fewstep/registry.hpp>
#include <fewstep/run.hpp>
#include <fewstep/solvers/table.hpp>
#include <fewstep/torch/algebra.hpp>
#include <fewstep/torch/gaussian_start.hpp>

#include <torch/types.h>

#include <functional>
#include <memory>
#include <string_view>

namespace fewstep::examples {

using TensorSolver = AnySolver<torch::Tensor>;

/// @throws std::invalid_argument as make_solver().
TensorSolver tensor_solver(std::string_view name, const SolverSettings& settings = {});

/// Any time predictor behind one type.
struct TensorPredictor {
  static constexpr bool per_sample = true;
  std::function<void(const Step<torch::Tensor>&, const torch::Tensor* features, Prediction<torch::Tensor>& out)>
      predict;

  void operator()(const Step<torch::Tensor>& n, const torch::Tensor* features, Prediction<torch::Tensor>& out) const {
    predict(n, features, out);
  }
};

/// The solver with a predictor in place of its ratio, or plugged in.
/// @throws std::invalid_argument as make_solver().
TensorSolver tensor_solver(std::string_view name, const SolverSettings& settings, const TensorPredictor& predictor);

/// The solver of a table whose numbers the predictor corrects.
/// @throws std::invalid_argument as corrected_table().
TensorSolver tensor_solver(const Table& table, const TensorPredictor& predictor);

/// A solver with everything that decides its samples.
struct Sampler {
  TensorSolver solver;
  Schedule schedule;
  Options options = {};
  std::shared_ptr<const TensorGaussianStart> gaussian_start = {};  // of the analytic first step; null: N(0, 1)

  /// @param per_call  evaluations of the network in each call of the denoiser: 2 with guidance
  int nfe(int per_call = 1) const { return evaluations(solver, schedule, options, per_call); }
};

/// Draws samples.
/// @param unit_noise  [B, C, H, W]
Result<torch::Tensor> draw(const Sampler& sampler, const ConditionalDenoiser& denoise, const torch::Tensor& unit_noise);

/// The same from states at the first level of the run.
/// @param observe  called after each step; may be empty
Result<torch::Tensor> draw_from(const Sampler& sampler, const ConditionalDenoiser& denoise, const torch::Tensor& x,
                                const std::function<void(const Snapshot<torch::Tensor>&)>& observe);

}  // namespace fewstep::examples
