// What a time predictor gives for one step, and the simplest one.
#pragma once

#include "../errors.hpp"
#include "../solver.hpp"

#include <cmath>
#include <concepts>

namespace fewstep {

/// Each value shared by the batch or one per sample.
template <State X>
struct Prediction {
  Level<X> ratio{0.5};           // r in (0, 1): the intermediate level is from^(1-r) to^r
  Level<X> direction_scale{1.};  // factor of the model's part of the second half
  Level<X> sigma_scale{1.};      // the second half's network is fed sigma_scale * sigma
};

/// predict(step, features, out) fills a Prediction. `features` is null where the left end was not evaluated (AFS) or
/// the denoiser has none. Predictors that answer per sample say `static constexpr bool per_sample = true`.
template <class P, class X>
concept TimePredictor = State<X> && requires(const P& predict, const Step<X>& n, const Features<X>* features,
                                             Prediction<X>& out) { predict(n, features, out); };

/// The same intermediate level, as a share of the step in log sigma, for every sample and step.
struct FixedRatio {
  double ratio = 0.5;
  void validate() const { require(ratio > 0 && ratio < 1, "FixedRatio::ratio", ratio, "numbers between 0 and 1"); }
  template <State X>
  void operator()(const Step<X>&, const Features<X>*, Prediction<X>& out) const {
    out.ratio = Level<X>(ratio);
  }
};

namespace detail {
/// Asks a predictor for the batch x. That it is one, memory() has asserted: where a compiler has least to say before
/// it.
template <State X, class P>
void predict(const P& predictor, const Step<X>& n, const Features<X>* features, const X& x, Prediction<X>& out) {
  if constexpr (TimePredictor<P, X>) predictor(n, features, out);
  for (Level<X>* t : {&out.ratio, &out.direction_scale, &out.sigma_scale}) algebra<X>::fit(*t, x);
}
}  // namespace detail

}  // namespace fewstep
