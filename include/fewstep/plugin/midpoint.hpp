#pragma once

#include "../model.hpp"
#include "predictor.hpp"

namespace fewstep {

/// The memory of a solver with one predicted intermediate level, and the slope there.
template <State X>
struct Midpoint {
  X guess, slope;
  Prediction<X> prediction{};
  Level<X> level{0.}, network_sigma{0.};

  explicit Midpoint(const X& x) : guess(algebra<X>::like(x)), slope(algebra<X>::like(x)) {
    algebra<X>::fit(level, x);
    algebra<X>::fit(network_sigma, x);
  }
  void detach() {}

  /// slope <- d(x + (m - t) d, m) at the predicted level m = t^(1-r) s^r, where the network is fed sigma_scale * m.
  /// @param d  the slope at (x, t)
  template <class P, class M>
  void evaluate(const P& predictor, const Step<X>& n, const X& x, const X& d, M& model) {
    detail::predict(predictor, n, model.features(), x, prediction);
    map_level<X>(level, detail::geometric, prediction.ratio, n.from, n.to);
    combine(guess, levels(n.from, level), [](const auto& t, const auto& m) { return Pack{unit, m - t}; }, x, d);
    Rescaled<X>{ModelRef<X>(model), prediction.sigma_scale, network_sigma}(guess, level, slope);
  }
};

}  // namespace fewstep
