// The rule of Precondition where only the running program knows what its network predicts.
#pragma once

#include "../enum_names.hpp"
#include "preconditioned.hpp"

#include <array>
#include <cmath>
#include <string_view>

namespace fewstep {

/// What a network predicts: the noise, v, the clean data, the velocity of a flow, or EDM's F.
enum class Predicts { epsilon, v, sample, flow, edm };
constexpr std::array<std::string_view, 5> names_of(Predicts) { return {"epsilon", "v", "x0", "flow", "edm"}; }

/// The scale in which a network takes its input: alpha x with alpha^2 (1 + sigma^2) = 1, alpha x with alpha = 1 - t for
/// sigma = t/(1 - t), or x itself. EDM's F has a scale of its own.
enum class InputScale { variance_preserving, flow, none };
constexpr std::array<std::string_view, 3> names_of(InputScale) { return {"variance_preserving", "flow", "none"}; }

/// The factors of every prediction; a rule for Precondition that adds label(sigma) has them as its base.
///
///   epsilon:  D = x - sigma F,   v:  D = alpha^2 x - n F,   sample:  D = F,   flow:  D = alpha x - n F,
///   edm:      D = (sd^2 x + sigma sd sqrt(total) F)/total,   total = sigma^2 + sd^2
///
/// The network's input is alpha x; n is the noise in it: alpha sigma, or the flow's time; sd: sigma_data.
struct AnyPrediction {
  Predicts predicts = Predicts::epsilon;
  InputScale input = InputScale::variance_preserving;
  bool native_flow = false;  ///< levels are a flow's own times (from_flow_native)
  double sigma_data = 0.5;   ///< of EDM's F
  double sign = 1;           ///< of EDM's F, and of the velocity: -1 for a flow with noise at 0

  template <class T>
  auto in(const T& sigma) const {
    using std::sqrt;
    if (predicts == Predicts::edm) return T(1. / sqrt(total(sigma)));
    return alpha(sigma);
  }
  template <class T>
  auto skip(const T& sigma) const {
    const T a = alpha(sigma), one = 1. + 0. * sigma;
    switch (predicts) {
      case Predicts::epsilon: return one;
      case Predicts::v: return T(a * a);
      case Predicts::sample: return T(0. * sigma);
      case Predicts::flow: return a;
      default: return T(sigma_data * sigma_data / total(sigma));
    }
  }
  template <class T>
  auto out(const T& sigma) const {
    using std::sqrt;
    switch (predicts) {
      case Predicts::epsilon: return T(-1. * sigma);
      case Predicts::sample: return T(1. + 0. * sigma);
      case Predicts::edm: return T(sign * sigma_data * sigma / sqrt(total(sigma)));
      case Predicts::flow: return T(-sign * sigma * (native_flow ? T(1. + 0. * sigma) : alpha(sigma)));
      default: return T(-1. * sigma * alpha(sigma));
    }
  }

 private:
  template <class T>
  T total(const T& sigma) const {
    return sigma * sigma + sigma_data * sigma_data;
  }
  template <class T>
  T alpha(const T& sigma) const {
    using std::sqrt;
    switch (input) {
      case InputScale::variance_preserving: return 1. / sqrt(1. + sigma * sigma);
      case InputScale::flow: return 1. / (1. + sigma);
      default: return 1. + 0. * sigma;
    }
  }
};

}  // namespace fewstep
