// The laws that every solver obeys on every state type. They need no test framework:
//   for (const auto& [law, failure] : fewstep::laws::check<MyState>(MySolver{})) ...
#pragma once

#include "solver_runs.hpp"
#include "solver_samples.hpp"
#include "solver_weights.hpp"

#include <vector>

namespace fewstep::laws {

/// Checks all laws of a solver except backends() and allocation(), which need another argument.
/// @return one verdict per law
template <State X, Solver<X> S>
std::vector<Verdict> check(const S& solver) {
  std::vector<Verdict> verdicts{{"count", count<X>(solver)},         {"purity", purity<X>(solver)},
                                {"batch", batch<X>(solver)},         {"levels", per_sample_levels<X>(solver)},
                                {"exactness", exactness<X>(solver)}, {"weights alone", weights_alone<X>(solver)},
                                {"resume", resume<X>(solver)},       {"forgetting", forgetting<X>(solver)},
                                {"wrapping", wrapping<X>(solver)}};
  if constexpr (requires(X& x) { probe<X>::track(x); }) verdicts.push_back({"detach", detach<X>(solver)});
  return verdicts;
}

}  // namespace fewstep::laws
