// A run of one of k-diffusion's samplers on data of two peaks, by the sampler's name.
#pragma once

#include "two_peaks.hpp"

#include <fewstep/adaptive.hpp>
#include <fewstep/eigen/algebra.hpp>
#include <fewstep/names.hpp>
#include <fewstep/run.hpp>
#include <fewstep/solvers/dpm_fast.hpp>

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace fewstep::test {

using Batch = Eigen::ArrayXXd;

inline Batch two_peaks_of_batch(const Batch& x, double sigma) {
  return x.unaryExpr([sigma](double v) { return two_peaks(v, sigma); });
}

inline AdaptiveOptions adaptive_options(const nlohmann::json& c) {
  return {.order = c.at("order"),
          .relative = c.at("rtol"),
          .absolute = c.at("atol"),
          .first_step = c.at("h_init"),
          .proportional = c.at("pcoeff"),
          .integral = c.at("icoeff"),
          .derivative = c.at("dcoeff"),
          .accept_safety = c.at("accept_safety")};
}

/// Runs a case: {sampler, sigmas}, {sampler: sample_dpm_fast, sigma_max, sigma_min, n} or {sampler:
/// sample_dpm_adaptive, sigma_max, sigma_min, and its options}.
/// @return {x, evals}, the samples from six starts and the evaluations, rejected ones counted as k-diffusion does
inline nlohmann::json k_diffusion_run(const nlohmann::json& c) {
  const std::string sampler = c.at("sampler");
  Batch noise(1, 6);
  noise << -1.5, -0.7, -0.1, 0.2, 0.9, 1.7;
  const auto answer = [](const Batch& x, int evaluations) {
    return nlohmann::json{{"x", std::vector<double>(x.data(), x.data() + x.size())}, {"evals", evaluations}};
  };
  if (sampler == "sample_dpm_adaptive") {
    const double first = c.at("sigma_max");
    const auto result =
        integrate_adaptive(two_peaks_of_batch, first, c.at("sigma_min"), Batch(first * noise), adaptive_options(c));
    return answer(result.x, result.evaluations + result.rejected);
  }
  if (sampler == "sample_dpm_fast") {
    const DpmFast solver{c.at("n")};
    const Schedule schedule =
        log_uniform({.steps = solver.steps(), .sigma_min = c.at("sigma_min"), .sigma_max = c.at("sigma_max")});
    const auto result = sample(solver, two_peaks_of_batch, schedule, noise);
    return answer(result.x, result.evaluations);
  }
  const SolverChoice choice = solver_by_name(sampler);
  const Schedule schedule(c.at("sigmas").get<std::vector<double>>());
  const auto result = sample(make_solver<Batch>(choice.solver, choice.settings), two_peaks_of_batch, schedule, noise);
  return answer(result.x, result.evaluations);
}

}  // namespace fewstep::test
