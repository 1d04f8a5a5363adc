#pragma once

#include "../algebra.hpp"
#include "../branches.hpp"
#include "../errors.hpp"
#include "adaptor.hpp"
#include "guidance.hpp"

#include <cstddef>
#include <utility>
#include <vector>

namespace fewstep {

namespace detail {
/// A state type whose algebra can double a batch and split it again.
template <class X>
concept Doubling = requires(const X& x, const Level<X>& t, const Features<X>& f) {
  algebra<X>::twice(x);
  algebra<X>::twice(t);
  algebra<X>::half(x, 0);
  algebra<X>::half(f, 0);
};
}  // namespace detail

/// The rule of guided_batch().
struct BatchGuidance {
  GuidanceOptions options;

  template <State X, class D>
  bool operator()(const X& x, const Level<X>& sigma, X& out, Features<X>& features, D& network) const {
    static_assert(detail::Doubling<X>,
                  "guided_batch: algebra<X> has no members twice(x), twice(t), half(x, i), or X has a "
                  "fixed number of samples");
    const X both = algebra<X>::twice(x);
    X both_out = algebra<X>::like(both);
    Features<X> both_features{};
    const bool has_features = detail::denoise(network, both, algebra<X>::twice(sigma), both_out, both_features);
    if (has_features) features = algebra<X>::half(both_features, 1);
    X unconditional = algebra<X>::half(both_out, 0);
    out = algebra<X>::half(both_out, 1);
    if (options.scale != 1) detail::guide(options, network, x, sigma, out, unconditional);
    return has_features;
  }

  template <class D>
  std::size_t branches(const D&) const {
    return 2;
  }
  template <class D>
  std::vector<double> combination(const D&) const {
    return {options.scale, 1 - options.scale};
  }
  template <class X, class D>
  void evaluate_branches(const Level<X>& sigma, BranchCall<X>& call, D& network) const {
    detail::require_branches_of(options, call);
    for (const X* output : call.outputs)
      require(output, "the number of branches evaluated", 1, "2 with guided_batch(), which evaluates them together");
    X both = algebra<X>::twice(call.x);
    X both_out = algebra<X>::like(both);
    Features<X> both_features{};
    call.has_features = detail::denoise(network, both, algebra<X>::twice(sigma), both_out, both_features);
    if (call.has_features && call.features) *call.features = algebra<X>::half(both_features, 1);
    for (const int branch : {0, 1})
      *call.outputs[static_cast<std::size_t>(branch)] = algebra<X>::half(both_out, 1 - branch);
    call.evaluations += 2 * detail::evaluations_at(network, sigma);
  }

  template <class D>
  int evaluations_per_call(const D& network) const {
    return 2 * detail::evaluations_per_call(network);
  }
  template <class T, class D>
  int evaluations_at(const T& sigma, const D& network) const {
    return 2 * detail::evaluations_at(network, sigma);
  }
};

/// Classifier-free guidance by one denoiser of a doubled batch. Features are those of the conditional half.
///
/// The denoiser gets the batch twice: the first half is unconditional, the second conditional. Its condition must have
/// as many samples as the doubled batch.
/// @param network  a denoiser, usually conditioned()
/// @param options  as for guided()
/// @throws std::invalid_argument for an option out of range.
/// NFE per call: twice that of `network`, inside and outside the interval.
/// Source: as guided().
template <class D>
auto guided_batch(D network, GuidanceOptions options) {
  options.validate();
  return detail::adapt(BatchGuidance{options}, std::move(network));
}

}  // namespace fewstep
