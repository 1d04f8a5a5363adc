#pragma once

#include "../plugin/midpoint.hpp"

#include <tuple>

namespace fewstep {

/// AMED-Solver: the slope at one predicted level m = t^(1-r) s^r stands for the whole step's.
///   y = x + (m - t) d(x, t),   x' = x + c (s - t) d(y, m)
/// r, the direction_scale factor c and the sigma_scale of d(y, m) from the predictor; FixedRatio{0.5} is the midpoint
/// rule in log sigma. Evaluations per step: 2.  Order: 2 for r = 1/2 and c = 1, else what the predictor makes of it.
/// Source: Zhou et al. 2024, arXiv 2312.00094.
template <class P = FixedRatio>
struct AmedSolver {
  P predictor{};

  static constexpr bool per_sample = detail::per_sample<P>;
  static constexpr Target target = Target::slope;
  static constexpr int evaluations() { return 2; }
  void validate() const { detail::validate(predictor); }
  template <State X>
  Midpoint<X> memory(const X& x) const {
    static_assert(TimePredictor<P, X>, "AmedSolver: the predictor must model TimePredictor for this state");
    return Midpoint<X>(x);
  }

  static constexpr auto weights = [](const auto& c, const auto& t, const auto& s) {
    return std::tuple{unit, c * (s - t)};
  };

  template <State X, class M>
  void step(const Step<X>& n, X& x, X& d, M& model, Midpoint<X>& m) const {
    m.evaluate(predictor, n, x, d, model);
    combine(x, levels(m.prediction.direction_scale, n.from, n.to), weights, x, m.slope);
  }
};
template <class P>
AmedSolver(P) -> AmedSolver<P>;

}  // namespace fewstep
