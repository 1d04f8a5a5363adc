// Several outputs of one evaluation of a denoiser: the conditional and the unconditional one of guidance.
#pragma once

#include "algebra.hpp"
#include "denoiser.hpp"
#include "errors.hpp"

#include <concepts>
#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace fewstep {

/// A request for the branches of a denoiser at one state, and how it was met. guided() has two branches, conditional
/// and unconditional; its own output is their combination. A solver that weighs them apart, such as a Table of two
/// branches, has more numbers to fit at the same NFE.
template <State X>
struct BranchCall {
  const X& x;                   ///< the state
  std::span<X* const> outputs;  ///< one per branch, each another object than x; null: the branch is not evaluated
  std::optional<double> guidance = {};  ///< the guidance scale for which the caller weighs; none: any
  Features<X>* features = nullptr;      ///< set by the first branch, where it is evaluated and has features
  bool has_features = false;            ///< whether `features` was set
  int evaluations = 0;                  ///< network evaluations made

  /// For denoisers. @throws std::invalid_argument unless the caller wants as many branches and this guidance scale.
  void require_branches(std::size_t count, std::optional<double> scale = {}) const {
    require(outputs.size() == count, "the solver's branches", outputs.size(), {count, ", as the denoiser's"});
    if (guidance && scale) require(*guidance == *scale, "the guidance scale", *scale, {*guidance, ", as the solver's"});
  }
};

/// A denoiser with several branches:
///   branches()                      their number
///   combination()                   optional: the weights w0, w1, ... of the branches in D = w0 D0 + w1 D1 + ..., from
///                                   which autotune() starts
///   evaluate_branches(sigma, call)  call.outputs[b] <- D of branch b at (call.x, sigma), where wanted; sets the call's
///                                   results
template <class D, class X>
concept BranchedDenoiser = State<X> && requires(D& d, const Level<X>& sigma, BranchCall<X>& call) {
  { d.branches() } -> std::convertible_to<std::size_t>;
  d.evaluate_branches(sigma, call);
};

namespace detail {

/// Evaluates a branch that is a denoiser of its own, where the call wants it.
template <State X, class D>
void evaluate_branch(D& denoise, const Level<X>& sigma, BranchCall<X>& call, std::size_t branch) {
  if (!call.outputs[branch]) return;
  Features<X> unused{};
  const bool first = branch == 0 && call.features;
  const bool has_features =
      detail::denoise(denoise, call.x, sigma, *call.outputs[branch], first ? *call.features : unused);
  if (first) call.has_features = has_features;
  call.evaluations += evaluations_at(denoise, sigma);
}

}  // namespace detail

}  // namespace fewstep
