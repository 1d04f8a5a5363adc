#pragma once

#include "../../../errors.hpp"
#include "../../../model.hpp"
#include "../../../solver.hpp"

#include <cmath>
#include <cstddef>
#include <optional>
#include <vector>

namespace fewstep::compat {

/// DDIM with two mistakes of diffusers.
///
/// Clipping: the denoised image is clipped, but the step keeps the noise of the unclipped one.
/// Strides: a step leads to the training step that is count/steps (rounded down) lower, which is not always the next
/// one of the run. The next step then takes alpha x at the former for alpha x at the latter.
///
///   x' = q (r/t (x - D) + scale clip(D)),   q = sqrt((1 + s^2)/(1 + r^2))
///
/// t, s: current and next level; r: the level that the step leads to.
/// NFE per step: 1. Order: 1.
/// Source: diffusers, scheduling_ddim.py.
struct Ddim {
  /// The level that each step leads to, one per step; may be 0. Empty: the next level.
  std::vector<double> reached = {};
  std::optional<Thresholding> clip = {};  ///< of the denoised image
  double scale = 1;                       ///< factor of the clipped image

  /// Clips the denoised image to [-limit, limit].
  /// @throws std::invalid_argument unless limit is positive.
  static Ddim clipped(double limit) {
    require(limit > 0, "Ddim::limit", limit, "positive numbers");
    return {{}, Thresholding{1, limit, limit}, limit};  // thresholding divides by the limit
  }

  template <State X>
  struct Memory {
    X clipped;
    void detach() {}
  };

  static constexpr Target target = Target::denoised;
  static constexpr int evaluations() { return 1; }
  template <State X>
  Memory<X> memory(const X& x) const {
    return {algebra<X>::like(x)};
  }

  template <State X, class M>
  void step(const Step<X>& n, X& x, X& denoised, M&, Memory<X>& m) const {
    const auto to_reached = [&](const auto& s) { return reached.empty() ? s : 0. * s + reached.at(n.index); };
    const auto alpha_ratio = [](const auto& r, const auto& s) {
      using std::sqrt;
      return sqrt((1. + s * s) / (1. + r * r));
    };
    if (!clip) {
      const auto weights = [&](const auto& t, const auto& s) {
        const auto r = to_reached(s), q = alpha_ratio(r, s);
        return Pack{q * (r / t), q * (1. - r / t)};
      };
      return combine(x, levels(n.from, n.to), weights, x, denoised);
    }
    detail::copy(m.clipped, denoised);
    algebra<X>::threshold(m.clipped, clip->quantile, clip->floor, clip->ceiling);
    const auto weights = [&](const auto& t, const auto& s) {
      const auto r = to_reached(s), q = alpha_ratio(r, s);
      return Pack{q * (r / t), -1. * q * (r / t), scale * q};
    };
    combine(x, levels(n.from, n.to), weights, x, denoised, m.clipped);
  }
};

}  // namespace fewstep::compat
