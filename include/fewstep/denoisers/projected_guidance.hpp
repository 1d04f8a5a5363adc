// Adaptive projected guidance (APG) by two denoisers.
#pragma once

#include "../algebra.hpp"
#include "../errors.hpp"
#include "adaptor.hpp"

#include <algorithm>
#include <any>
#include <cmath>
#include <cstddef>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

namespace fewstep {

/// Options of guided_by_projection().
struct ProjectionOptions {
  /// Guidance scale, as GuidanceOptions::scale.
  double scale = 1;
  /// The share that is kept of the guidance parallel to Dc, which makes colours harsh: 0 to 1; 1 keeps all.
  double parallel = 0;
  /// The largest norm of Dc - Du per sample, positive, in the unit of the data; longer differences are shortened. 2.5
  /// to 15 for latents.
  double largest_norm = std::numeric_limits<double>::infinity();
  /// The weight of earlier differences in the present one, above -1 and below 1; negative values, such as -0.5, push
  /// away from them. 0: none.
  double momentum = 0;

  /// @throws std::invalid_argument naming the option that is out of range.
  void validate() const {
    require(std::isfinite(scale), "ProjectionOptions::scale", scale, "finite numbers");
    require(parallel >= 0 && parallel <= 1, "ProjectionOptions::parallel", parallel, "0 to 1");
    require(largest_norm > 0, "ProjectionOptions::largest_norm", largest_norm, "positive numbers");
    require(momentum > -1 && momentum < 1, "ProjectionOptions::momentum", momentum, "numbers above -1 and below 1");
  }
};

/// The rule of guided_by_projection().
struct ProjectedGuidance {
  static constexpr bool stateful = true;

  explicit ProjectedGuidance(ProjectionOptions o) : options(o) {}

  template <State X, class C, class U>
  bool operator()(const X& x, const Level<X>& sigma, X& out, Features<X>& features, C& conditional, U& unconditional) {
    static_assert(requires { algebra<X>::dot(x, x); }, "guided_by_projection: algebra<X> has no member dot(x, y)");
    const bool has_features = detail::denoise(conditional, x, sigma, out, features);
    if (options.scale == 1) return has_features;
    X difference = algebra<X>::like(x);
    Features<X> unused{};
    detail::denoise(unconditional, x, sigma, difference, unused);
    subtract(difference, out, difference);
    if (options.momentum != 0) add_momentum(detail::shared_level(sigma), difference);
    add_projected(out, difference);
    return has_features;
  }

  ProjectionOptions options;

 private:
  /// difference <- difference + momentum * (that of the previous evaluation of this run)
  template <State X>
  void add_momentum(std::optional<double> level, X& difference) {
    // Levels fall within a run, and its first one is evaluated once.
    const bool begins = level && (!last_ || *level > *last_ || (evaluations_ == 1 && *level == *last_));
    if (begins) evaluations_ = 0;
    if (level) last_ = level;
    const X* running = std::any_cast<X>(&running_);
    if (running && evaluations_ > 0) add_scaled(difference, options.momentum, *running);
    ++evaluations_;
    running_ = detail::copied(difference);
  }

  /// conditional <- conditional + (scale - 1) (the limited difference, of which `parallel` is kept along conditional)
  template <State X>
  void add_projected(X& conditional, const X& difference) const {
    const std::vector<double> squares = algebra<X>::dot(difference, difference),
                              products = algebra<X>::dot(difference, conditional),
                              lengths = algebra<X>::dot(conditional, conditional);
    std::vector<double> own(squares.size()), added(squares.size());
    for (std::size_t n = 0; n < squares.size(); ++n) {
      added[n] = (options.scale - 1) * (std::min)(1., options.largest_norm / std::sqrt(squares[n]));
      if (!(squares[n] > 0)) added[n] = 0;
      const double along = lengths[n] > 0 ? products[n] / lengths[n] : 0;
      own[n] = 1 - added[n] * (1 - options.parallel) * along;
    }
    combine(
        conditional, levels(algebra<X>::level_per_sample(own), algebra<X>::level_per_sample(added)),
        [](const auto& a, const auto& b) { return Pack{a, b}; }, conditional, difference);
  }

  std::any running_;  // the difference of the latest evaluation, with its momentum
  std::optional<double> last_;
  int evaluations_ = 0;  // in this run
};

/// Adaptive projected guidance: less over-saturated than guided() at large scales.
///
///   D = Dc + (scale - 1) (d - (1 - parallel) (d . Dc / |Dc|^2) Dc),   d = Dc - Du + momentum (the previous d),
///
/// with d shortened to largest_norm, per sample. Features are those of the conditional denoiser. Momentum begins anew
/// in each run, that is where the level rises; such a denoiser belongs to one thread and is passed as a variable that
/// is not const. On a GPU each evaluation waits for the sums of its samples. NFE per call: the sum of both; that of
/// `conditional` where scale is 1.
/// @throws std::invalid_argument for an option out of range.
/// Source: Sadat et al. 2024, arXiv 2410.02416, algorithm 1.
template <class C, class U>
auto guided_by_projection(C conditional, U unconditional, ProjectionOptions options) {
  options.validate();
  return detail::adapt(ProjectedGuidance{options}, std::move(conditional), std::move(unconditional));
}

}  // namespace fewstep
