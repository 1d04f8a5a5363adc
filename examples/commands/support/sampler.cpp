#include "sampler.hpp"

#include <fewstep/denoisers/analytic_first_step.hpp>
#include <fewstep/solvers/corrected_table.hpp>

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

Result<torch::Tensor> draw_from(const Sampler& sampler, const ConditionalDenoiser& denoise, const torch::Tensor& x,
                                const std::function<void(const Snapshot<torch::Tensor>&)>& observe) {
  const auto run = [&](const auto& denoiser) {
    return integrate(sampler.solver, denoiser, sampler.schedule, x, sampler.options,
                     [&](const Snapshot<torch::Tensor>& s) {
                       if (observe) observe(s);
                     });
  };
  if (!sampler.gaussian_start) return run(denoise);
  return run(with_analytic_first_step(denoise, sampler.gaussian_start->denoiser(denoise.labels(), denoise.guidance())));
}

Result<torch::Tensor> draw(const Sampler& sampler, const ConditionalDenoiser& denoise,
                           const torch::Tensor& unit_noise) {
  return draw_from(sampler, denoise, unit_noise * sampler.schedule[sampler.options.first_step], {});
}

}  // namespace fewstep::examples
