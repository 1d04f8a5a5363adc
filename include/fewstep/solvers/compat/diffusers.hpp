// Mistakes of diffusers.
#pragma once

#include "../../errors.hpp"
#include "../../history.hpp"
#include "../../solver.hpp"

#include <cmath>
#include <vector>

namespace fewstep::compat {

/// DDIM with diffusers' clipping of the denoised image.
///
/// The mistake: the image is clipped to [-limit, limit], but the step keeps the noise of the unclipped one.
/// NFE per step: 1.
/// Source: diffusers, scheduling_ddim.py, clip_sample without use_clipped_model_output.
struct ClippedDdim {
  double limit = 1;  ///< above 0

  static constexpr Target target = Target::slope;
  static constexpr int evaluations() { return 1; }
  void validate() const { require(limit > 0, "ClippedDdim::limit", limit, "positive numbers"); }
  template <State X>
  NoMemory memory(const X&) const {
    return {};
  }

  template <State X, class M>
  void step(const Step<X>& n, X& x, X& noise, M&, NoMemory&) const {
    combine(x, levels(n.from), [](const auto& t) { return Pack{unit, -1. * t}; }, x, noise);
    algebra<X>::threshold(x, 1, limit, limit);  // clips, and divides by the limit
    combine(x, levels(n.to), [this](const auto& s) { return Pack{limit, s}; }, x, noise);
  }
};

/// DDIM on diffusers' linspace timesteps.
///
/// The mistake: a step leads to the timestep that is count/steps (rounded down) lower, not to the next one of the list.
/// The next step then takes alpha x at the former for alpha x at the latter.
/// NFE per step: 1.
/// Source: diffusers, scheduling_ddim.py, prev_timestep.
struct StridedDdim {
  std::vector<double> reached;  ///< the level that each step leads to, one per step

  static constexpr Target target = Target::denoised;
  static constexpr int evaluations() { return 1; }
  template <State X>
  NoMemory memory(const X&) const {
    return {};
  }

  template <State X, class M>
  void step(const Step<X>& n, X& x, X& denoised, M&, NoMemory&) const {
    const auto weights = [level = reached.at(n.index)](const auto& t, const auto& s) {
      using std::sqrt;
      const auto alpha_ratio = sqrt((1. + s * s) / (1. + level * level));  // alpha(level)/alpha(s)
      return Pack{alpha_ratio * (level / t), alpha_ratio * (1. - level / t)};
    };
    combine(x, levels(n.from, n.to), weights, x, denoised);
  }
};

}  // namespace fewstep::compat
