// CFG-Zero*: guidance for flows by two denoisers.
#pragma once

#include "../algebra.hpp"
#include "../errors.hpp"
#include "adaptor.hpp"
#include "network_output.hpp"

#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

namespace fewstep {

/// Options of guided_zero_star().
struct ZeroStarOptions {
  /// Guidance scale, as GuidanceOptions::scale.
  double scale = 1;
  /// At a shared level of this or more the network's output counts as 0 and is not evaluated ("zero init"): 0 or more.
  /// The paper does so in the first 4% of the steps.
  double zero_from = std::numeric_limits<double>::infinity();

  /// @throws std::invalid_argument naming the option that is out of range.
  void validate() const {
    require(std::isfinite(scale), "ZeroStarOptions::scale", scale, "finite numbers");
    require(zero_from >= 0, "ZeroStarOptions::zero_from", zero_from, "0 or more");
  }
};

/// The rule of guided_zero_star().
struct ZeroStarGuidance {
  ZeroStarOptions options;

  template <State X, class C, class U>
  bool operator()(const X& x, const Level<X>& sigma, X& out, Features<X>& features, C& conditional,
                  U& unconditional) const {
    static_assert(requires { algebra<X>::dot(x, x); }, "guided_zero_star: algebra<X> has no member dot(x, y)");
    if (starts_from_zero(sigma)) {
      scale(out, 0, x);
      detail::add_skipped(conditional, 1, x, sigma, out);
      return false;
    }
    const bool has_features = detail::denoise(conditional, x, sigma, out, features);
    if (options.scale == 1) return has_features;
    X other = algebra<X>::like(x);
    Features<X> unused{};
    detail::denoise(unconditional, x, sigma, other, unused);
    for (X* image : {&out, &other}) detail::add_skipped(conditional, -1, x, sigma, *image);
    combine(
        out, levels(fitted_scale(out, other)),
        [w = options.scale](const auto& fitted) { return Pack{w, (1. - w) * fitted}; }, out, other);
    detail::add_skipped(conditional, 1, x, sigma, out);
    return has_features;
  }

  template <class T, class C, class U>
  int evaluations_at(const T& sigma, const C& conditional, const U& unconditional) const {
    if (starts_from_zero(sigma)) return 0;
    return detail::evaluations_at(conditional, sigma) +
           (options.scale == 1 ? 0 : detail::evaluations_at(unconditional, sigma));
  }

 private:
  template <class T>
  bool starts_from_zero(const T& sigma) const {
    const auto level = detail::shared_level(sigma);
    return level && *level >= options.zero_from;
  }

  /// Per sample the factor that brings the unconditional output closest to the conditional one.
  template <State X>
  static Level<X> fitted_scale(const X& conditional, const X& unconditional) {
    std::vector<double> products = algebra<X>::dot(conditional, unconditional);
    const std::vector<double> squares = algebra<X>::dot(unconditional, unconditional);
    for (std::size_t n = 0; n < squares.size(); ++n) products[n] = squares[n] > 0 ? products[n] / squares[n] : 0;
    return algebra<X>::level_per_sample(products);
  }
};

/// CFG-Zero*: guidance with a fitted scale of the unconditional output, for flow matching networks.
///
///   F = s Fu + scale (Fc - s Fu),   s = Fc . Fu / |Fu|^2 per sample,
///
/// with F the network's output, the velocity of a flow. Features are those of the conditional denoiser. On a GPU each
/// evaluation waits for the sums of its samples.
/// @param conditional, unconditional  denoisers of the same kind of network, e.g. from_flow(...)
/// NFE per call: the sum of both; that of `conditional` where scale is 1, and 0 from level zero_from on.
/// @throws std::invalid_argument for an option out of range.
/// Source: Fan et al. 2025, arXiv 2503.18886, algorithm 1.
template <class C, class U>
auto guided_zero_star(C conditional, U unconditional, ZeroStarOptions options) {
  options.validate();
  return detail::adapt(ZeroStarGuidance{options}, std::move(conditional), std::move(unconditional));
}

}  // namespace fewstep
