// A denoiser as the target that a solver extrapolates.
#pragma once

#include "branches.hpp"
#include "denoiser.hpp"
#include "errors.hpp"
#include "solver.hpp"

#include <cmath>
#include <functional>
#include <limits>
#include <optional>
#include <utility>

namespace fewstep {

/// Dynamic thresholding: per sample, the denoised image is clamped to [-s, s] and divided by s, where s is the given
/// quantile of |D|, clamped to [floor, ceiling].
/// Source: Saharia et al. 2022, arXiv 2205.11487, section 2.3.
struct Thresholding {
  double quantile = 0.995;                                   ///< 0 to 1
  double floor = 1;                                          ///< positive; 1 for data in [-1, 1]
  double ceiling = std::numeric_limits<double>::infinity();  ///< floor or more
};

namespace detail {

/// Unwinds a step when the caller asks to stop; never leaves Run.
struct Cancelled {};

template <State X>
void threshold(const std::optional<Thresholding>& thresholding, X& denoised) {
  if (thresholding) algebra<X>::threshold(denoised, thresholding->quantile, thresholding->floor, thresholding->ceiling);
}

/// out, the denoised batch at (x, sigma), becomes the target there.
template <State X>
void to_target(Target target, const std::optional<Thresholding>& thresholding, const X& x, const Level<X>& sigma,
               X& out) {
  if (target == Target::slope) combine(out, levels(sigma), [](const auto& s) { return Pack{1. / s, -1. / s}; }, x, out);
  else threshold(thresholding, out);
}

/// out <- the target at (x, sigma) for data of mean 0 and variance 1: the slope x / sqrt(1 + sigma^2).
template <State X>
void standard_normal_target(Target target, const std::optional<Thresholding>& thresholding, const X& x,
                            const Level<X>& sigma, X& out) {
  combine(
      out, levels(sigma),
      [target](const auto& s) {
        using std::sqrt;
        return Pack{target == Target::slope ? 1. / sqrt(1. + s * s) : 1. - s / sqrt(1. + s * s)};
      },
      x);
  if (target == Target::denoised) threshold(thresholding, out);
}

}  // namespace detail

/// A denoiser D as the target that a solver extrapolates: the slope (x - D)/sigma, or D itself. Counts evaluations and
/// keeps the features of the latest one.
template <State X, class D>
class Model {
 public:
  /// @param denoise  outlives this object
  /// @param thresholding  applied to denoised batches where these are the target
  /// @param stop  called before each evaluation; once it returns true, evaluations throw detail::Cancelled. Null:
  /// never. Outlives this object
  Model(D& denoise, Target target, std::optional<Thresholding> thresholding = {},
        const std::function<bool()>* stop = nullptr)
      : denoise_(&denoise), target_(target), thresholding_(thresholding), stop_(stop) {}

  /// out <- the target at (x, sigma): one evaluation. x and out must be different objects.
  void operator()(const X& x, const Level<X>& sigma, X& out) { (*this)(x, sigma, sigma, out); }

  /// The same, with the network evaluated at `network_sigma` while slopes still divide by sigma (AMED's sigma_scale).
  /// @param pending  whether out stays the denoised batch, as in Step::pending
  void operator()(const X& x, const Level<X>& network_sigma, const Level<X>& sigma, X& out, bool pending = false) {
    denoised(x, network_sigma, out);
    if (!pending) detail::to_target(target_, thresholding_, x, sigma, out);
  }

  /// out <- the target of the analytic first step (AFS): no evaluation and no features. Takes the denoiser's own
  /// analytic_first_step() where there is one, else the slope x / sqrt(1 + sigma^2) of data with mean 0 and variance 1.
  /// Source: Dockhorn et al. 2022, arXiv 2210.05475; the AMED code has this slope.
  void analytic(const X& x, const Level<X>& sigma, X& out) {
    has_features_ = false;
    if constexpr (requires { denoise_->analytic_first_step(x, sigma, out); }) {
      denoise_->analytic_first_step(x, sigma, out);
      detail::to_target(target_, thresholding_, x, sigma, out);
    } else if constexpr (requires { denoise_->analytic_first_step(1.); }) {
      combine(out, levels(sigma), [this](const auto& s) { return Pack{denoise_->analytic_first_step(s)}; }, x);
      detail::to_target(target_, thresholding_, x, sigma, out);
    } else {
      detail::standard_normal_target(target_, thresholding_, x, sigma, out);
    }
  }

  /// out <- D(x, sigma) as the denoiser returns it: one evaluation.
  void denoised(const X& x, const Level<X>& sigma, X& out) {
    if (stop_ && *stop_ && (*stop_)()) throw detail::Cancelled{};
    has_features_ = detail::denoise(*denoise_, x, sigma, out, features_);
    if constexpr (requires { algebra<X>::require_alike(out, x); }) algebra<X>::require_alike(out, x);
    ++evaluations_;
    total_evaluations_ += detail::evaluations_at(*denoise_, sigma);
  }

  /// call.outputs <- the targets of the denoiser's branches at call.x: one call of the denoiser.
  /// @throws std::invalid_argument for a denoiser without these branches.
  void branches(const Level<X>& network_sigma, const Level<X>& sigma, BranchCall<X>& call) {
    if constexpr (BranchedDenoiser<D, X>) {
      if (stop_ && *stop_ && (*stop_)()) throw detail::Cancelled{};
      call.features = &features_;
      denoise_->evaluate_branches(network_sigma, call);
      has_features_ = call.has_features;
      ++evaluations_;
      total_evaluations_ += call.evaluations;
      for (X* out : call.outputs) {
        if (!out) continue;
        if constexpr (requires { algebra<X>::require_alike(*out, *out); }) algebra<X>::require_alike(*out, call.x);
        detail::to_target(target_, thresholding_, call.x, sigma, *out);
      }
    } else {
      refuse("the solver's branches", call.outputs.size(), "1, as the denoiser's");
    }
  }

  /// Features of the latest evaluation; null where there are none.
  const Features<X>* features() const { return has_features_ ? &features_ : nullptr; }

  int evaluations() const { return evaluations_; }              ///< calls of the denoiser
  int total_evaluations() const { return total_evaluations_; }  ///< evaluations of its network in these calls

  /// Refers to another denoiser of the same type and another `stop` from now on.
  void rebind(D& denoise, const std::function<bool()>* stop) {
    denoise_ = &denoise;
    stop_ = stop;
  }

 private:
  D* denoise_;
  Target target_;
  std::optional<Thresholding> thresholding_;
  const std::function<bool()>* stop_;
  Features<X> features_{};
  bool has_features_ = false;
  int evaluations_ = 0, total_evaluations_ = 0;
};

/// A model whose network is evaluated at sigma_scale times the noise level, while slopes still divide by the level
/// itself. Since it is a factor, it applies to solvers with several stages, and nests.
template <State X>
struct Rescaled {
  ModelRef<X> model;
  const Level<X>& sigma_scale;
  Level<X>& network_sigma;  ///< storage for the network's noise level

  void operator()(const X& x, const Level<X>& sigma, X& out) const { (*this)(x, sigma, sigma, out); }
  void operator()(const X& x, const Level<X>& unscaled, const Level<X>& sigma, X& out) const {
    if (algebra<X>::is_one(sigma_scale)) return model(x, unscaled, sigma, out);
    map_level<X>(
        network_sigma, [](const auto& factor, const auto& level) { return factor * level; }, sigma_scale, unscaled);
    model(x, network_sigma, sigma, out);
  }
  const Features<X>* features() const { return model.features(); }
};

}  // namespace fewstep
