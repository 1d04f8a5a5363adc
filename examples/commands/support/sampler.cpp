#include "sampler.hpp"

#include <fewstep/denoisers/analytic_first_step.hpp>
#include <fewstep/solvers/corrected_table.hpp>
#ifdef FEWSTEP_TORCH
#include <fewstep/torch/gaussian_start.hpp>
#endif

namespace fewstep::examples {

SamplesSolver samples_solver(std::string_view name, const SolverSettings& settings) {
  return make_solver<Samples>(name, settings);
}

SamplesSolver samples_solver(std::string_view name, const SolverSettings& settings, const SamplesPredictor& predictor) {
  return make_solver<Samples>(name, settings, predictor);
}

SamplesSolver samples_solver(const Table& table, const SamplesPredictor& predictor) {
  return corrected_table(table, predictor);
}

Result<Samples> draw_from(const Sampler& sampler, const ConditionalDenoiser& denoise, const Samples& x,
                          const std::function<void(const Snapshot<Samples>&)>& observe) {
  const auto run = [&](const auto& denoiser) {
    return integrate(sampler.solver, denoiser, sampler.schedule, x, sampler.options, [&](const Snapshot<Samples>& s) {
      if (observe) observe(s);
    });
  };
#ifdef FEWSTEP_TORCH
  if (const auto& start = sampler.gaussian_start)
    return run(with_analytic_first_step(denoise, start->denoiser(denoise.labels(), denoise.guidance())));
#endif
  return run(denoise);
}

Result<Samples> draw(const Sampler& sampler, const ConditionalDenoiser& denoise, const Samples& unit_noise) {
  return draw_from(sampler, denoise, scaled(unit_noise, sampler.schedule[sampler.options.first_step]), {});
}

}  // namespace fewstep::examples
