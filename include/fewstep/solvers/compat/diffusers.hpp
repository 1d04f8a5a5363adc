// Slips of diffusers.
#pragma once

#include "../../errors.hpp"
#include "../../history.hpp"
#include "../../solver.hpp"

#include <cmath>
#include <tuple>
#include <vector>

namespace fewstep::compat {

/// DDIM as diffusers clips it: the image alone, so that image and noise of a step no longer belong together.
/// Source: diffusers, scheduling_ddim.py, clip_sample without use_clipped_model_output.
struct ClippedDdim {
  double limit = 1;

  static constexpr Target target = Target::slope;
  static constexpr int evaluations() { return 1; }
  void validate() const { require(limit > 0, "ClippedDdim::limit", limit, "positive numbers"); }
  template <State X>
  NoMemory memory(const X&) const {
    return {};
  }

  template <State X, class M>
  void step(const Step<X>& n, X& x, X& noise, M&, NoMemory&) const {
    combine(x, levels(n.from), [](const auto& t) { return std::tuple{unit, -1. * t}; }, x, noise);
    algebra<X>::threshold(x, 1, limit, limit);  // clips, and divides by the limit
    combine(x, levels(n.to), [this](const auto& s) { return std::tuple{limit, s}; }, x, noise);
  }
};

/// DDIM over diffusers' linspace timesteps, which steps by whole count/steps to levels between the chosen ones and goes
/// on as if it were at those. `reached`: the level that each step is made to; in terms of alpha x, which is what
/// diffusers keeps. Source: diffusers, scheduling_ddim.py, prev_timestep.
struct StridedDdim {
  std::vector<double> reached;

  static constexpr Target target = Target::denoised;
  static constexpr int evaluations() { return 1; }
  template <State X>
  NoMemory memory(const X&) const {
    return {};
  }

  template <State X, class M>
  void step(const Step<X>& n, X& x, X& image, M&, NoMemory&) const {
    const double level = reached.at(n.index);
    combine(
        x, levels(n.from, n.to),
        [level](const auto& t, const auto& s) {
          using std::sqrt;
          const auto as_if = sqrt((1. + s * s) / (1. + level * level));
          return std::tuple{as_if * (level / t), as_if * (1. - level / t)};
        },
        x, image);
  }
};

}  // namespace fewstep::compat
