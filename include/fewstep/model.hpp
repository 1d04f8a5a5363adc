#pragma once

#include "denoiser.hpp"
#include "solver.hpp"

#include <cmath>
#include <functional>
#include <limits>
#include <optional>
#include <tuple>
#include <type_traits>

namespace fewstep {

/// Dynamic thresholding (Saharia et al. 2022, arXiv 2205.11487, section 2.3): per sample, denoised images are clamped
/// to
/// [-s, s] and divided by s, s being the quantile of |D| but no less than floor and no more than ceiling.
struct Thresholding {
  double quantile = 0.995;
  double floor = 1;
  double ceiling = std::numeric_limits<double>::infinity();
};

namespace detail {
struct Cancelled {};  // unwinds a step when the caller asks to stop; never leaves Run
}  // namespace detail

/// A denoiser seen as the target that a solver asked for. Counts evaluations.
template <State X, class D>
class Model {
 public:
  Model(D& denoise, Target target, std::optional<Thresholding> thresholding = {}, std::function<bool()> stop = {})
      : denoise_(&denoise), target_(target), thresholding_(thresholding), stop_(std::move(stop)) {}

  /// out <- the target at (x, sigma). x and out must not be the same object.
  void operator()(const X& x, const Level<X>& sigma, X& out) { (*this)(x, sigma, sigma, out); }

  /// The same with the network fed another level than the one that the slope is divided by (AMED's sigma_scale).
  void operator()(const X& x, const Level<X>& fed, const Level<X>& sigma, X& out) {
    denoised(x, fed, out);
    aim(x, sigma, out);
  }

  /// The target for data ~ N(0, 1), D = x / (1 + sigma^2): spends no evaluation and gives no features (AFS; Dockhorn et
  /// al. 2022, arXiv 2210.05475, with the slope x / sqrt(1 + sigma^2) of the AMED code), or what the denoiser knows
  /// better.
  void analytic(const X& x, const Level<X>& sigma, X& out) {
    has_features_ = false;
    if constexpr (requires { denoise_->analytic_first_step(x, sigma, out); }) {
      denoise_->analytic_first_step(x, sigma, out);
      return aim(x, sigma, out);
    } else if constexpr (requires { denoise_->analytic_first_step(1.); }) {
      combine(out, levels(sigma), [this](const auto& s) { return std::tuple{denoise_->analytic_first_step(s)}; }, x);
      return aim(x, sigma, out);
    }
    const auto root = [](const auto& s) {
      using std::sqrt;
      return sqrt(1. + s * s);
    };
    if (target_ == Target::slope) {
      combine(out, levels(sigma), [root](const auto& s) { return std::tuple{1. / root(s)}; }, x);
    } else {
      combine(out, levels(sigma), [root](const auto& s) { return std::tuple{1. - s / root(s)}; }, x);
      threshold(out);
    }
  }

  /// out <- D(x, sigma) as the denoiser gives it.
  void denoised(const X& x, const Level<X>& sigma, X& out) {
    if (stop_ && stop_()) throw detail::Cancelled{};
    has_features_ = detail::denoise(*denoise_, x, sigma, out, features_);
    ++evaluations_;
    total_evaluations_ += detail::evaluations_at(*denoise_, sigma);
  }

  /// Features of the latest evaluation; null where there are none.
  const Features<X>* features() const { return has_features_ ? &features_ : nullptr; }

  /// Calls made, one after another, and evaluations of the network in them.
  int evaluations() const { return evaluations_; }
  int total_evaluations() const { return total_evaluations_; }

  void rebind(D& denoise) { denoise_ = &denoise; }

 private:
  /// D -> the target.
  void aim(const X& x, const Level<X>& sigma, X& out) const {
    if (target_ == Target::slope)
      combine(out, levels(sigma), [](const auto& s) { return std::tuple{1. / s, -1. / s}; }, x, out);
    else threshold(out);
  }
  void threshold(X& out) const {
    if (thresholding_)
      algebra<X>::threshold(out, thresholding_->quantile, thresholding_->floor, thresholding_->ceiling);
  }

  D* denoise_;
  Target target_;
  std::optional<Thresholding> thresholding_;
  std::function<bool()> stop_;
  Features<X> features_{};
  bool has_features_ = false;
  int evaluations_ = 0, total_evaluations_ = 0;
};

/// A model on a rescaled sigma_scale: at level t its network is fed sigma_scale * t, while slopes still divide by t. A
/// factor, not a time, so that solvers with several stages can be wrapped, and wrappers nested.
template <State X, class M>
struct Rescaled {
  M& model;
  const Level<X>& sigma_scale;
  Level<X>& fed;

  void operator()(const X& x, const Level<X>& t, X& out) const { (*this)(x, t, t, out); }
  void operator()(const X& x, const Level<X>& at, const Level<X>& t, X& out) const {
    if (algebra<X>::is_one(sigma_scale)) return model(x, at, t, out);
    map_level<X>(fed, [](const auto& a, const auto& level) { return a * level; }, sigma_scale, at);
    model(x, fed, t, out);
  }
  const Features<X>* features() const { return model.features(); }
};

}  // namespace fewstep
