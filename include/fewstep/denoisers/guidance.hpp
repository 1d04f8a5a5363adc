// Classifier-free guidance (Ho & Salimans 2022, arXiv 2207.12598, equation 6, whose w is scale - 1).
#pragma once

#include "../algebra.hpp"
#include "../errors.hpp"
#include "adaptor.hpp"

#include <cmath>
#include <limits>
#include <tuple>
#include <utility>

namespace fewstep {

struct GuidanceOptions {
  /// D = Du + scale (Dc - Du): 1 is the conditional alone.
  double scale = 1;
  /// Levels outside [sigma_low, sigma_high] take the conditional alone (Kynkaanniemi et al. 2024, arXiv 2404.07724).
  double sigma_low = 0, sigma_high = std::numeric_limits<double>::infinity();
  /// From 0 to 1: how far the guided image's standard deviation, per sample, is brought back to the conditional's
  /// (Lin et al. 2023, arXiv 2305.08891, equations 15 and 16).
  double rescale = 0;

  /// @throws std::invalid_argument naming the option that does not fit.
  void validate() const {
    require(std::isfinite(scale), "GuidanceOptions::scale", scale, "finite numbers");
    require(sigma_low >= 0, "GuidanceOptions::sigma_low", sigma_low, "numbers of 0 or more");
    require(sigma_high >= sigma_low, "GuidanceOptions::sigma_high", sigma_high, "numbers of sigma_low or more");
    require(rescale >= 0 && rescale <= 1, "GuidanceOptions::rescale", rescale, "0 to 1");
  }
};

namespace detail {

/// The share of the conditional: `scale` inside the interval, 1 outside.
template <class T>
auto guidance_share(const GuidanceOptions& o, const T& s) {
  return 1. + (o.scale - 1.) * (s / s) * (s >= o.sigma_low) * (s <= o.sigma_high);  // s/s: 1 in the type of s
}

/// conditional <- guided.
template <State X>
void guide(const GuidanceOptions& o, const Level<X>& sigma, X& conditional, X& other) {
  combine(
      other, levels(sigma),
      [&o](const auto& s) {
        const auto share = guidance_share(o, s);
        return std::tuple{share, 1. - share};
      },
      conditional, other);
  if constexpr (requires { algebra<X>::match_deviation(other, conditional, o.rescale); }) {
    if (o.rescale > 0) algebra<X>::match_deviation(other, conditional, o.rescale);
  } else {
    require(o.rescale == 0, "GuidanceOptions::rescale", o.rescale,
            "0 for a state whose algebra has no match_deviation");
  }
  std::swap(conditional, other);
}

}  // namespace detail

struct Guidance {
  GuidanceOptions options;

  template <State X, class C, class U>
  bool operator()(const X& x, const Level<X>& sigma, X& out, Features<X>& features, C& conditional,
                  U& unconditional) const {
    const bool given = detail::denoise(conditional, x, sigma, out, features);
    if (!wanted(sigma)) return given;
    X other = algebra<X>::like(x);
    Features<X> unused{};
    detail::denoise(unconditional, x, sigma, other, unused);
    detail::guide(options, sigma, out, other);
    return given;
  }

  template <class C, class U>
  int evaluations_per_call(const C& conditional, const U& unconditional) const {
    return detail::evaluations_per_call(conditional) +
           (options.scale == 1 ? 0 : detail::evaluations_per_call(unconditional));
  }
  template <class T, class C, class U>
  int evaluations_at(const T& sigma, const C& conditional, const U& unconditional) const {
    return detail::evaluations_at(conditional, sigma) +
           (wanted(sigma) ? detail::evaluations_at(unconditional, sigma) : 0);
  }

 private:
  template <class T>
  bool wanted(const T& sigma) const {
    const auto level = detail::shared_level(sigma);
    return options.scale != 1 && (!level || (*level >= options.sigma_low && *level <= options.sigma_high));
  }
};

/// Two denoisers, one of them where that is enough: at a level shared by the batch and outside the interval, or at
/// scale 1. With per-sample levels both are evaluated. Features are the conditional's.
/// @throws std::invalid_argument for options that do not fit.
template <class C, class U>
auto guided(C conditional, U unconditional, GuidanceOptions options) {
  options.validate();
  return detail::adapt(Guidance{options}, std::move(conditional), std::move(unconditional));
}

}  // namespace fewstep
