// Classifier-free guidance by two denoisers.
#pragma once

#include "../algebra.hpp"
#include "../branches.hpp"
#include "../errors.hpp"
#include "adaptor.hpp"
#include "network_output.hpp"

#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

namespace fewstep {

/// Options of guided() and guided_batch().
struct GuidanceOptions {
  /// Guidance scale: D = Du + scale (Dc - Du) with the conditional Dc and the unconditional Du. 1 gives Dc, 0 gives Du;
  /// 1.5 to 8 are common.
  double scale = 1;
  /// Guidance interval: at levels outside [sigma_low, sigma_high] the result is Dc alone.
  /// Source: Kynkaanniemi et al. 2024, arXiv 2404.07724.
  double sigma_low = 0;
  double sigma_high = std::numeric_limits<double>::infinity();
  /// In [0, 1]: how far the standard deviation of the network's guided output is moved back to that of its conditional
  /// output, per sample, whatever it predicts; of D itself for a denoiser that is not made of a network
  /// (precondition()). Source: Lin et al. 2023, arXiv 2305.08891, equations 15 and 16.
  double rescale = 0;

  /// @throws std::invalid_argument naming the option that is out of range.
  void validate() const {
    require(std::isfinite(scale), "GuidanceOptions::scale", scale, "finite numbers");
    require(sigma_low >= 0, "GuidanceOptions::sigma_low", sigma_low, "0 or more");
    require(sigma_high >= sigma_low, "GuidanceOptions::sigma_high", sigma_high, "sigma_low or more");
    require(rescale >= 0 && rescale <= 1, "GuidanceOptions::rescale", rescale, "0 to 1");
  }
};

namespace detail {

/// The weight of Dc: `scale` inside the interval, 1 outside.
template <class T>
auto conditional_weight(const GuidanceOptions& o, const T& s) {
  return 1. + (o.scale - 1.) * (s / s) * (s >= o.sigma_low) * (s <= o.sigma_high);  // s/s: 1 in the type of s
}

/// @throws std::invalid_argument for a solver of other branches, and for options whose D is no fixed combination of two
/// branches.
template <State X>
void require_branches_of(const GuidanceOptions& o, const BranchCall<X>& call) {
  call.require_branches(2, o.scale);
  constexpr const char* weighs_apart = " for a solver that weighs the branches";
  require(o.rescale == 0, "GuidanceOptions::rescale", o.rescale, {"0", weighs_apart});
  require(o.sigma_low == 0, "GuidanceOptions::sigma_low", o.sigma_low, {"0", weighs_apart});
  require(std::isinf(o.sigma_high), "GuidanceOptions::sigma_high", o.sigma_high, {"infinity", weighs_apart});
}

/// conditional <- the guided image; unconditional is overwritten.
/// @param denoise  whose network's outputs are rescaled
template <State X, class D>
void guide(const GuidanceOptions& o, const D& denoise, const X& x, const Level<X>& sigma, X& conditional,
           X& unconditional) {
  combine(
      unconditional, levels(sigma),
      [&o](const auto& s) {
        const auto weight = conditional_weight(o, s);
        return Pack{weight, 1. - weight};
      },
      conditional, unconditional);
  if constexpr (requires { algebra<X>::match_deviation(unconditional, conditional, o.rescale); }) {
    if (o.rescale > 0) {
      for (X* image : {&conditional, &unconditional}) add_skipped(denoise, -1, x, sigma, *image);
      algebra<X>::match_deviation(unconditional, conditional, o.rescale);
      add_skipped(denoise, 1, x, sigma, unconditional);
    }
  } else {
    require(o.rescale == 0, "GuidanceOptions::rescale", o.rescale,
            "0 for a state whose algebra has no match_deviation");
  }
  std::swap(conditional, unconditional);
}

}  // namespace detail

/// The rule of guided().
struct Guidance {
  GuidanceOptions options;

  template <State X, class C, class U>
  bool operator()(const X& x, const Level<X>& sigma, X& out, Features<X>& features, C& conditional,
                  U& unconditional) const {
    const bool has_features = detail::denoise(conditional, x, sigma, out, features);
    if (!guides_at(sigma)) return has_features;
    X unconditional_out = algebra<X>::like(x);
    Features<X> unused{};
    detail::denoise(unconditional, x, sigma, unconditional_out, unused);
    detail::guide(options, conditional, x, sigma, out, unconditional_out);
    return has_features;
  }

  template <class C, class U>
  std::size_t branches(const C&, const U&) const {
    return 2;
  }
  template <class C, class U>
  std::vector<double> combination(const C&, const U&) const {
    return {options.scale, 1 - options.scale};
  }
  template <class X, class C, class U>
  void evaluate_branches(const Level<X>& sigma, BranchCall<X>& call, C& conditional, U& unconditional) const {
    detail::require_branches_of(options, call);
    detail::evaluate_branch(conditional, sigma, call, 0);
    detail::evaluate_branch(unconditional, sigma, call, 1);
  }

  template <class C, class U>
  int evaluations_per_call(const C& conditional, const U& unconditional) const {
    return detail::evaluations_per_call(conditional) +
           (options.scale == 1 ? 0 : detail::evaluations_per_call(unconditional));
  }
  template <class T, class C, class U>
  int evaluations_at(const T& sigma, const C& conditional, const U& unconditional) const {
    return detail::evaluations_at(conditional, sigma) +
           (guides_at(sigma) ? detail::evaluations_at(unconditional, sigma) : 0);
  }

 private:
  /// Whether the unconditional denoiser is evaluated; with levels per sample it always is, unless scale is 1.
  template <class T>
  bool guides_at(const T& sigma) const {
    const auto level = detail::shared_level(sigma);
    return options.scale != 1 && (!level || (*level >= options.sigma_low && *level <= options.sigma_high));
  }
};

/// Classifier-free guidance by two denoisers. Features are those of the conditional one.
///
///   D = Du + scale (Dc - Du)
///
/// NFE per call: the sum of both. Only the conditional denoiser is evaluated where scale is 1, and at a shared level
/// outside the interval; with levels per sample, both are evaluated inside and outside it.
/// Branches: 0 conditional, 1 unconditional (BranchedDenoiser), without interval and rescaling.
/// @param conditional, unconditional  any denoisers
/// @param options                     scale, interval and rescaling
/// @throws std::invalid_argument for an option out of range.
/// Source: Ho & Salimans 2022, arXiv 2207.12598, equation 6, whose w is scale - 1.
template <class C, class U>
auto guided(C conditional, U unconditional, GuidanceOptions options) {
  options.validate();
  return detail::adapt(Guidance{options}, std::move(conditional), std::move(unconditional));
}

}  // namespace fewstep
