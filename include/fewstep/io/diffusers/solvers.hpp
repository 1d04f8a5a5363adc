// The solvers of diffusers' multistep schedulers, from their configurations.
#pragma once

#include "../../any_solver.hpp"
#include "../../enum_names.hpp"
#include "../../solvers/compat.hpp"
#include "../../solvers/deis.hpp"
#include "../../solvers/unipc.hpp"
#include "config.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace fewstep::io::detail {

/// Diffusers lowers the order of the last steps (lower_order_final) only in runs with fewer steps than this.
inline constexpr int many_steps = 15;

inline bool lowers_order(const JsonSettings& c, int steps) {
  return c.get("lower_order_final", true) && steps < many_steps;
}

/// DPMSolverMultistepScheduler and EDMDPMSolverMultistepScheduler.
template <State X>
AnySolver<X> diffusers_dpm(const JsonSettings& c, int steps) {
  const int order = c.get("solver_order", 2);
  const std::string algorithm = c.choice("algorithm_type", "dpmsolver++", {"dpmsolver++", "dpmsolver"});
  const Target target = algorithm == "dpmsolver" ? Target::slope : Target::denoised;
  const bool heun = c.choice("solver_type", "midpoint", {"midpoint", "heun"}) == "heun";
  if (heun && order == 2) return Deis{2, Variable::log_sigma, target};
  return compat::Dpmpp{{.order = order, .target = target, .lower_order_final = lowers_order(c, steps)}};
}

template <State X>
AnySolver<X> diffusers_deis(const JsonSettings& c, int steps) {
  return Deis{c.get("solver_order", 2), Variable::log_sigma, Target::slope, lowers_order(c, steps)};
}

template <State X>
AnySolver<X> diffusers_unipc(const JsonSettings& c) {
  const auto disabled = c.get("disable_corrector", std::vector<int>());
  for (std::size_t i = 0; i < disabled.size(); ++i)
    require(disabled[i] == static_cast<int>(i), "disable_corrector[" + std::to_string(i) + "]", disabled[i],
            std::to_string(i) + ": the first steps, in order");
  return UniPc{c.get("solver_order", 2), parse<UniB>("solver_type", c.get("solver_type", std::string("bh2"))),
               c.get("predict_x0", true) ? Target::denoised : Target::slope, c.get("lower_order_final", true),
               static_cast<int>(disabled.size())};
}

}  // namespace fewstep::io::detail
