#pragma once

#include "../plugin/midpoint.hpp"

namespace fewstep {

/// AMED-Solver: the slope at one predicted intermediate level carries x across the whole step.
///
///   m = t^(1-r) s^r,   y = x + (m - t) d(x, t),   x' = x + c (s - t) d(y, m)
///
/// t, s: current and next level; d: slope. The predictor gives, per step or per sample, the ratio r, the
/// direction_scale c and the sigma_scale: the network that gives d(y, m) is fed sigma_scale m. FixedRatio{0.5} makes
/// this the midpoint rule in log(sigma).
/// NFE per step: 2. Order: 2 with r = 1/2 and c = sigma_scale = 1, otherwise it depends on the predictor.
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

  static constexpr auto weights = [](const auto& c, const auto& t, const auto& s) { return Pack{unit, c * (s - t)}; };

  template <State X, class M>
  void step(const Step<X>& n, X& x, X& d, M& model, Midpoint<X>& m) const {
    m.evaluate(predictor, n, x, d, model);
    combine(x, levels(m.prediction.direction_scale, n.from, n.to), weights, x, m.slope);
  }
};
template <class P>
AmedSolver(P) -> AmedSolver<P>;

}  // namespace fewstep
