// The laws as Catch2 sees them.
#pragma once

#include "catch.hpp"
#include "configurations.hpp"

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

/// Those of the state type itself, of every solver on it, plain and plugged, and that each of its numbers goes its own
/// way.
template <State X>
void hold_for_every_solver() {
  hold(laws::check_state<X>());
  const auto solvers = configurations<X>();
  const auto scalars = configurations<double>();
  for (std::size_t i = 0; i < solvers.size(); ++i) {
    INFO(solvers[i].label);
    hold(laws::check<X>(solvers[i].solver));
    CHECK(laws::backends<X>(solvers[i].solver, scalars[i].solver) == "");
  }
}

/// Those of every solver with a predictor in it.
template <State X, class P>
void hold_for_every_solver_with(const P& predictor) {
  for (const auto& [label, solver] : configurations<X>()) {
    INFO(label);
    hold(laws::check<X>(AnySolver<X>(Amed{solver, predictor})));
  }
  hold(laws::check<X>(AnySolver<X>(DpmSolver2{predictor})));
  hold(laws::check<X>(AnySolver<X>(AmedSolver{predictor})));
}

}  // namespace fewstep::test
