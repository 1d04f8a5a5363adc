// What a predictor chooses for one step, and the simplest predictor.
#pragma once

#include "../errors.hpp"
#include "../solver.hpp"

#include <concepts>

namespace fewstep {

/// What a predictor chooses for one step from level t to level s: each value is shared by the batch or one per sample.
template <State X>
struct Prediction {
  Level<X> ratio{0.5};           ///< r in (0, 1): the intermediate level is t^(1-r) s^r
  Level<X> direction_scale{1.};  ///< positive: factor of the model's part of the second half of the step
  Level<X> sigma_scale{1.};      ///< positive: in the second half, the network is fed sigma_scale times the level
};

/// A predictor: predict(step, features, out) writes into `out`. Members that it never writes keep their defaults, which
/// change nothing.
///
/// `features` are those of the evaluation at the left end of the step: null where there was none (analytic first step)
/// or the denoiser has no features. A predictor that gives one value per sample has `static constexpr bool
/// per_sample = true`.
template <class P, class X>
concept TimePredictor = State<X> && requires(const P& predict, const Step<X>& n, const Features<X>* features,
                                             Prediction<X>& out) { predict(n, features, out); };

/// The same ratio for every sample and step. Default 1/2: the geometric mean of the step's levels.
struct FixedRatio {
  double ratio = 0.5;  ///< in (0, 1)

  /// @throws std::invalid_argument for a ratio outside (0, 1).
  void validate() const { require(ratio > 0 && ratio < 1, "FixedRatio::ratio", ratio, "numbers between 0 and 1"); }
  template <State X>
  void operator()(const Step<X>&, const Features<X>*, Prediction<X>& out) const {
    out.ratio = Level<X>(ratio);
  }
};

namespace detail {

/// out <- the prediction for the batch x. memory() asserts TimePredictor; the test here keeps the compiler from
/// reporting the same error twice.
template <State X, class P>
void predict(const P& predictor, const Step<X>& n, const Features<X>* features, const X& x, Prediction<X>& out) {
  if constexpr (TimePredictor<P, X>) predictor(n, features, out);
  for (Level<X>* t : {&out.ratio, &out.direction_scale, &out.sigma_scale}) algebra<X>::fit(*t, x);
}

}  // namespace detail

}  // namespace fewstep
