#pragma once

#include "../../../errors.hpp"
#include "../../../solver.hpp"

namespace fewstep::compat {

/// Heun's method with both denoised images of a step clipped to [-limit, limit], the one at the end included. Its last
/// step is one of Euler, to the image: diffusers' runs end at level 0.
/// NFE per step: 2, the last 1. Order: 2 where nothing is clipped.
/// Source: diffusers, scheduling_heun_discrete.py, clip_sample.
struct ClippedHeun {
  double limit = 1;  ///< above 0

  template <State X>
  struct Stages {
    X euler, end_image;
    void detach() {}
  };

  static constexpr Target target = Target::denoised;
  static constexpr int evaluations() { return 2; }
  static constexpr int evaluations(StepCount& at) { return at.steps_left == 1 ? 1 : 2; }
  void validate() const { require(limit > 0, "ClippedHeun::limit", limit, "positive numbers"); }
  template <State X>
  Stages<X> memory(const X& x) const {
    return {algebra<X>::like(x), algebra<X>::like(x)};
  }

  template <State X, class M>
  void step(const Step<X>& n, X& x, X& image, M& model, Stages<X>& m) const {
    // Thresholding also divides by the limit, so the weights below multiply by it.
    const auto clip = [this](X& denoised) { algebra<X>::threshold(denoised, 1, limit, limit); };
    const auto at = levels(n.from, n.to);
    clip(image);
    const auto euler = [this](const auto& t, const auto& s) { return Pack{s / t, limit * (1. - s / t)}; };
    if (n.index + 1 == n.count) return combine(x, at, euler, x, image);
    combine(m.euler, at, euler, x, image);
    model(m.euler, n.to, m.end_image);
    clip(m.end_image);
    const auto heun = [this](const auto& t, const auto& s) {
      const auto half = 0.5 * (s - t);
      return Pack{1. + half / t, -1. * limit * half / t, half / s, -1. * limit * half / s};
    };
    combine(x, at, heun, x, image, m.euler, m.end_image);
  }
};

}  // namespace fewstep::compat
