// The laws as Catch2 checks.
#pragma once

#include "catch.hpp"
#include "types.hpp"

#include <fewstep/eigen/laws.hpp>
#include <fewstep/laws/denoiser.hpp>
#include <fewstep/laws/solver.hpp>
#include <fewstep/laws/state.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace fewstep::test {

inline void hold(const std::vector<laws::Verdict>& verdicts) {
  for (const auto& verdict : verdicts) {
    INFO(verdict.law);
    CHECK(verdict.failure == "");
  }
}

/// All laws of one solver. Compiled once per state, since the solver's type is erased.
template <State X>
std::vector<laws::Verdict> verdicts(const AnySolver<X>& solver) {
  return laws::check<X>(solver);
}

/// Checks the laws of the state type, all laws of every solver on it, plain and plugged, and that every number of the
/// state equals a run on a double.
template <State X>
void hold_for_every_solver() {
  hold(laws::check_state<X>());
  const auto solvers = configurations<X>();
  const auto scalars = configurations<double>();
  for (std::size_t i = 0; i < solvers.size(); ++i) {
    INFO(solvers[i].label);
    hold(verdicts<X>(solvers[i].solver));
    CHECK(laws::backends<X>(solvers[i].solver, scalars[i].solver) == "");
  }
}

/// Checks all laws of every solver with a predictor in it.
template <State X, class P>
void hold_for_every_solver_with(const P& predictor) {
  for (const auto& [label, solver] : configurations<X>()) {
    INFO(label);
    hold(verdicts<X>(Amed{solver, predictor}));
  }
  hold(verdicts<X>(DpmSolver2{predictor}));
  hold(verdicts<X>(AmedSolver{predictor}));
}

extern template std::vector<laws::Verdict> verdicts<double>(const AnySolver<double>&);

}  // namespace fewstep::test
