#pragma once

#include "predictor.hpp"

namespace fewstep {

/// A predictor shared by the batch (FixedRatio, TablePredictor), corrected by another one, usually per sample.
///
///   r/(1 - r) = a/(1 - a) * b/(1 - b)
///
/// r: ratio; a: the base's; b: the correction's. Scales are multiplied likewise. A correction of ratio 1/2 and scales 1
/// changes nothing, so training that begins there begins at the base.
template <class Base, class P>
struct CorrectedPredictor {
  Base base;
  P correction{};

  static_assert(!detail::per_sample<Base>, "CorrectedPredictor: the base must be shared by the batch");
  static constexpr bool per_sample = detail::per_sample<P>;
  /// @throws std::invalid_argument for settings of either predictor that are out of range.
  void validate() const {
    detail::validate(base);
    detail::validate(correction);
  }

  template <State X>
  void operator()(const Step<X>& n, const Features<X>* features, Prediction<X>& out) const {
    Prediction<X> uncorrected;
    base(n, features, uncorrected);
    correction(n, features, out);
    const auto multiply_odds = [](const auto& a, const auto& b) { return a * b / (a * b + (1. - a) * (1. - b)); };
    const auto multiply = [](const auto& a, const auto& b) { return a * b; };
    map_level<X>(out.ratio, multiply_odds, uncorrected.ratio, out.ratio);
    map_level<X>(out.direction_scale, multiply, uncorrected.direction_scale, out.direction_scale);
    map_level<X>(out.sigma_scale, multiply, uncorrected.sigma_scale, out.sigma_scale);
  }
};
template <class Base, class P>
CorrectedPredictor(Base, P) -> CorrectedPredictor<Base, P>;

}  // namespace fewstep
