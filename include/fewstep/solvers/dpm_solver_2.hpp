#pragma once

#include "../model.hpp"
#include "../plugin/predictor.hpp"

#include <tuple>

namespace fewstep {

/// Two-stage solver with a free intermediate level m = t^(1-r) s^r:
///   y = x + (m - t) d(x, t),   x' = x + c (s - t) [(1 - 1/(2r)) d(x, t) + 1/(2r) d(y, m)]
/// r from the predictor, as are the direction factor c and the clock of d(y, m); FixedRatio{0.5} is DPM-Solver-2.
/// Evaluations per step: 2.  Order: 2.
/// Source: Lu et al. 2022, arXiv 2206.00927, algorithm 1; Zhou et al. 2024, arXiv 2312.00094 (predicted r).
template <class P = FixedRatio>
struct DpmSolver2 {
  P predictor{};

  template <State X>
  struct Stages {
    X guess, slope;
    Prediction<X> to;
    Time<X> mid{0.}, fed{0.};
    void detach() {}
  };

  static constexpr bool per_sample = detail::per_sample<P>;
  static constexpr Target target() { return Target::slope; }
  static constexpr int evaluations() { return 2; }
  void validate() const {
    if constexpr (requires { predictor.validate(); }) predictor.validate();
  }
  template <State X>
  Stages<X> memory(const X& x) const {
    Stages<X> m{algebra<X>::like(x), algebra<X>::like(x), {}};
    algebra<X>::fit(m.mid, x);
    algebra<X>::fit(m.fed, x);
    return m;
  }

  static constexpr auto weights = [](const auto& r, const auto& c, const auto& t, const auto& s) {
    const auto h = c * (s - t);
    const auto w = 0.5 / r;
    return std::tuple{unit, (1. - w) * h, w * h};
  };

  template <State X, class M>
  void step(const Step<X>& n, X& x, X& d, M& model, Stages<X>& m) const {
    detail::predict(predictor, n, model.features(), m.to);
    map_time<X>(m.mid, detail::geometric, m.to.ratio, n.from, n.to);
    combine(m.guess, times(n.from, m.mid), [](const auto& t, const auto& mid) { return std::tuple{unit, mid - t}; }, x, d);
    Rescaled<X, M>{model, m.to.clock, m.fed}(m.guess, m.mid, m.slope);
    combine(x, times(m.to.ratio, m.to.direction, n.from, n.to), weights, x, d, m.slope);
  }
};
template <class P>
DpmSolver2(P) -> DpmSolver2<P>;

}  // namespace fewstep
