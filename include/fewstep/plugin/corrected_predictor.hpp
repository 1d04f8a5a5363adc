#pragma once

#include "predictor.hpp"

namespace fewstep {

/// Constants, FixedRatio or TablePredictor, corrected by another predictor: odds of ratios, directions and clocks are
/// multiplied.
///   r/(1 - r) = a/(1 - a) b/(1 - b)
/// One half, 1 and 1 change nothing: where a network in training answers so at first, it starts at the constants.
template <class Constants, class P>
struct CorrectedPredictor {
  Constants constants;
  P correction{};

  static_assert(!detail::per_sample<Constants>, "CorrectedPredictor: the first predictor must answer for the batch");
  static constexpr bool per_sample = detail::per_sample<P>;
  void validate() const {
    detail::validate(constants);
    detail::validate(correction);
  }

  template <State X>
  void operator()(const Step<X>& n, const Features<X>* features, Prediction<X>& out) const {
    Prediction<X> base;
    constants(n, features, base);
    correction(n, features, out);
    const auto odds = [](const auto& a, const auto& b) { return a * b / (a * b + (1. - a) * (1. - b)); };
    const auto product = [](const auto& a, const auto& b) { return a * b; };
    map_level<X>(out.ratio, odds, base.ratio, out.ratio);
    map_level<X>(out.direction_scale, product, base.direction_scale, out.direction_scale);
    map_level<X>(out.sigma_scale, product, base.sigma_scale, out.sigma_scale);
  }
};
template <class Constants, class P>
CorrectedPredictor(Constants, P) -> CorrectedPredictor<Constants, P>;

}  // namespace fewstep
