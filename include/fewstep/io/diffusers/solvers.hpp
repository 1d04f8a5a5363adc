// The solvers of diffusers' multistep and single-step schedulers, from their configurations.
#pragma once

#include "../../any_solver.hpp"
#include "../../enum_names.hpp"
#include "../../solvers/compat.hpp"
#include "../../solvers/deis.hpp"
#include "../../solvers/unipc.hpp"
#include "config.hpp"
#include "levels.hpp"

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

namespace fewstep::io::detail {

/// Diffusers lowers the order of the last steps (lower_order_final) only in runs with fewer steps than this.
inline constexpr std::size_t many_steps = 15;

/// A run for which a solver is chosen.
struct RunShape {
  std::size_t steps;
  double end;         // the level after the last evaluation
  bool repeats_last;  // it is the last level again: a step of length 0
};
inline RunShape shape_of(const DiffusersLevels& made) {
  return {made.levels.size(), made.end, made.end == made.levels.back()};
}

/// @throws std::invalid_argument in a step of length 0 whose order makes diffusers divide 0 by 0.
inline void require_regular_end(const RunShape& run, bool irregular) {
  require(!run.repeats_last || !irregular, "final_sigmas_type", "sigma_min",
          "zero: the last level is repeated, where a step of this order and solver_type is not finite");
}

/// Reads solver_type; the types of other families stand for the default.
inline std::string dpm_solver_type(const DiffusersSettings& c) {
  const std::string type = c.choice("solver_type", "midpoint", {"midpoint", "heun", "logrho", "bh1", "bh2"});
  return type == "heun" ? type : "midpoint";
}

/// Reads solver_order. Diffusers' multistep schedulers take 3 for more.
inline int multistep_order(const DiffusersSettings& c, const char* name = "solver_order") {
  constexpr int highest = 3, absurd = 1000;
  return (std::min)(c.whole(name, 2, 1, absurd), highest);
}

/// Reads algorithm_type of DPM-Solver; deis stands for dpmsolver++, and is refused where diffusers refuses it.
inline Target dpm_target(const DiffusersSettings& c, bool has_slopes) {
  c.knows({"algorithm_type", "final_sigmas_type"});
  std::vector<std::string> allowed{"dpmsolver++"};
  if (!ends_at_zero(c)) {
    allowed.emplace_back("deis");
    if (has_slopes) allowed.emplace_back("dpmsolver");
  }
  const std::string type = c.choice("algorithm_type", "dpmsolver++", {"dpmsolver++", "dpmsolver", "deis"});
  require(std::find(allowed.begin(), allowed.end(), type) != allowed.end(), "algorithm_type", type,
          has_slopes ? "dpmsolver++ with the final_sigmas_type zero" : "dpmsolver++");
  return type == "dpmsolver" ? Target::slope : Target::denoised;
}

/// DPMSolverMultistepScheduler and EDMDPMSolverMultistepScheduler.
inline compat::MultistepDpm multistep_dpm(const DiffusersSettings& c, Target target, const RunShape& run) {
  const int order = multistep_order(c);
  const bool few = run.steps < many_steps, lowers = c.flag("lower_order_final", true) && few;
  const bool first_at_end = c.flag("euler_at_final") || lowers || ends_at_zero(c);
  compat::MultistepDpm solver{std::vector<int>(run.steps, order), target, dpm_solver_type(c) == "heun"};
  if (lowers && run.steps > 1) solver.orders[run.steps - 2] = (std::min)(order, 2);
  if (first_at_end) solver.orders.back() = 1;
  const auto reached = (std::min)(static_cast<std::size_t>(solver.orders.back()), run.steps);
  require_regular_end(run, reached == 3 || (reached == 2 && solver.heun));
  return solver;
}

/// The orders of DPMSolverSinglestepScheduler: groups of 1, 2, 3, as long as they fit.
inline std::vector<int> singlestep_orders(const DiffusersSettings& c, std::size_t steps) {
  const auto order = static_cast<std::size_t>(c.whole("solver_order", 2, 1, 3));
  const bool zero = ends_at_zero(c), whole = steps % order == 0;
  // Diffusers sets lower_order_final where the groups do not fit or the last level is 0.
  const bool lowers = c.flag("lower_order_final") || !whole || zero;
  std::vector<int> orders;
  for (std::size_t i = 0; i < steps; ++i) orders.push_back(static_cast<int>(i % order) + 1);
  if (lowers && whole) {  // the last group is cut
    orders.back() = 1;
    if (order == 3) orders[steps - 2] = 2;
  }
  if (zero) orders.back() = 1;
  return orders;
}

inline compat::GroupedSinglestepDpm grouped_dpm(const DiffusersSettings& c, Target target, const RunShape& run) {
  return {singlestep_orders(c, run.steps), target, dpm_solver_type(c) == "heun"};
}

inline Deis diffusers_deis(const DiffusersSettings& c, const RunShape& run) {
  c.choice("algorithm_type", "deis", {"deis", "dpmsolver", "dpmsolver++"});
  c.choice("solver_type", "logrho", {"logrho", "midpoint", "heun", "bh1", "bh2"});
  const bool lowers = c.flag("lower_order_final", true) && run.steps < many_steps;
  return Deis{multistep_order(c), Variable::log_sigma, Target::slope, lowers};
}

inline compat::SaSolver sa_solver(const DiffusersSettings& c) {
  const bool data = c.choice("algorithm_type", "data_prediction", {"data_prediction", "noise_prediction"})[0] == 'd';
  return {c.whole("predictor_order", 2, 1, 4), c.whole("corrector_order", 2, 1, 4),
          data ? Target::denoised : Target::slope, c.flag("lower_order_final", true)};
}

inline compat::SelectiveUniPc diffusers_unipc(const DiffusersSettings& c, const RunShape& run) {
  constexpr int highest = 4;
  c.require_off("solver_p");
  const std::string type = c.choice("solver_type", "bh2", {"bh1", "bh2", "midpoint", "heun", "logrho"});
  compat::SelectiveUniPc solver{
      {c.whole("solver_order", 2, 1, highest), type == "bh1" ? UniB::bh1 : UniB::bh2,
       c.flag("predict_x0", true) ? Target::denoised : Target::slope, c.flag("lower_order_final", true)},
      c.find<std::vector<int>>("disable_corrector").value_or(std::vector<int>())};
  const bool lowers = solver.solver.lower_order_final;
  const auto last_order =
      (std::min)(static_cast<std::size_t>(solver.solver.order), lowers ? std::size_t{1} : run.steps);
  require_regular_end(run, last_order > 2);
  if (run.end > 0) return solver;
  // Where diffusers multiplies infinity by 0 in the step to level 0.
  require(last_order == 1, "lower_order_final", false, "true with the final_sigmas_type zero");
  require(solver.solver.target == Target::denoised, "predict_x0", false, "true with the final_sigmas_type zero");
  require(type != "bh1", "solver_type", type, "bh2 with the final_sigmas_type zero");
  return solver;
}

}  // namespace fewstep::io::detail
