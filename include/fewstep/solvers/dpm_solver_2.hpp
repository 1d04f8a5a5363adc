#pragma once

#include "../plugin/midpoint.hpp"

namespace fewstep {

/// DPM-Solver-2 with a free intermediate level: a two-stage solver that weighs the slopes at t and m.
///
///   m = t^(1-r) s^r,   y = x + (m - t) d(x, t),   x' = x + c (s - t) [(1 - 1/(2r)) d(x, t) + 1/(2r) d(y, m)]
///
/// t, s: current and next level; d: slope. The predictor gives, per step or per sample, the ratio r, the
/// direction_scale c and the sigma_scale: the network that gives d(y, m) is fed sigma_scale m. FixedRatio{0.5} makes
/// this DPM-Solver-2 as published.
/// NFE per step: 2. Order: 2 with c = sigma_scale = 1, otherwise it depends on the predictor.
/// Source: Lu et al. 2022, arXiv 2206.00927, algorithm 1; predicted r: Zhou et al. 2024, arXiv 2312.00094.
template <class P = FixedRatio>
struct DpmSolver2 {
  P predictor{};

  static constexpr bool per_sample = detail::per_sample<P>;
  static constexpr Target target = Target::slope;
  static constexpr int evaluations() { return 2; }
  void validate() const { detail::validate(predictor); }
  template <State X>
  Midpoint<X> memory(const X& x) const {
    static_assert(TimePredictor<P, X>, "DpmSolver2: the predictor must model TimePredictor for this state");
    return Midpoint<X>(x);
  }

  static constexpr auto weights = [](const auto& r, const auto& c, const auto& t, const auto& s) {
    const auto h = c * (s - t);
    const auto w = 0.5 / r;
    return Pack{unit, (1. - w) * h, w * h};
  };

  template <State X, class M>
  void step(const Step<X>& n, X& x, X& d, M& model, Midpoint<X>& m) const {
    m.evaluate(predictor, n, x, d, model);
    combine(x, levels(m.prediction.ratio, m.prediction.direction_scale, n.from, n.to), weights, x, d, m.slope);
  }
};
template <class P>
DpmSolver2(P) -> DpmSolver2<P>;

}  // namespace fewstep
