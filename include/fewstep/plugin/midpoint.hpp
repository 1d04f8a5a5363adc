#pragma once

#include "../model.hpp"
#include "predictor.hpp"

#include <tuple>

namespace fewstep {

/// What a solver with an intermediate level of its own works with: the slope at the predicted level m = t^(1-r) s^r,
/// after an Euler step to it.
template <State X>
struct Midpoint {
  X guess, slope;
  Prediction<X> to{};
  Level<X> mid{0.}, fed{0.};

  explicit Midpoint(const X& x) : guess(algebra<X>::like(x)), slope(algebra<X>::like(x)) {
    algebra<X>::fit(mid, x);
    algebra<X>::fit(fed, x);
  }
  void detach() {}

  /// slope <- d(x + (m - t) d, m), the network fed sigma_scale m.
  template <class P, class M>
  void evaluate(const P& predictor, const Step<X>& n, const X& x, const X& d, M& model) {
    detail::predict(predictor, n, model.features(), x, to);
    map_level<X>(mid, detail::geometric, to.ratio, n.from, n.to);
    combine(guess, levels(n.from, mid), [](const auto& t, const auto& m) { return std::tuple{unit, m - t}; }, x, d);
    Rescaled<X, M>{model, to.sigma_scale, fed}(guess, mid, slope);
  }
};

}  // namespace fewstep
