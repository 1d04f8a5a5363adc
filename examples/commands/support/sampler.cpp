#include "sampler.hpp"

#include <fewstep/denoisers/analytic_first_step.hpp>
#include <fewstep/solvers/corrected_table.hpp>

#include <stdexcept>

namespace fewstep::examples {

TensorSolver tensor_solver(std::string_view name, const SolverSettings& settings) {
  return make_solver<torch::Tensor>(name, settings);
}

TensorSolver tensor_solver(std::string_view name, const SolverSettings& settings, const TensorPredictor& predictor) {
  return make_solver<torch::Tensor>(name, settings, predictor);
}

TensorSolver tensor_solver(const Table& table, const TensorPredictor& predictor) {
  return corrected_table(table, predictor);
}

std::string unknown_solver(const std::string& name) {
  try {
    make_solver<torch::Tensor>(name);
    return {};
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
}

std::string solver_names() {
  std::string names;
  for_each_solver([&](const SolverInfo& solver) { names += (names.empty() ? "" : ", ") + std::string(solver.name); });
  return names;
}

Result<torch::Tensor> draw(const Sampler& sampler, const ConditionalDenoiser& denoise, const torch::Tensor& unit_noise,
                           const std::function<void(const Snapshot<torch::Tensor>&)>& observe) {
  const auto run = [&](const auto& denoiser) {
    return sample(sampler.solver, denoiser, sampler.schedule, unit_noise, sampler.options,
                  [&](const Snapshot<torch::Tensor>& s) {
                    if (observe) observe(s);
                  });
  };
  if (!sampler.gaussian_start) return run(denoise);
  return run(with_analytic_first_step(denoise, sampler.gaussian_start->denoiser(denoise.labels(), denoise.guidance())));
}

}  // namespace fewstep::examples
