#pragma once

#include "../errors.hpp"
#include "noise_process.hpp"

#include <cmath>

namespace fewstep {

/// Variance-exploding process: the network takes x0 + sigma noise as it is.
///
///   sigma = t,   alpha = 1,   label = label_scale sigma
///
/// t: training time. Source: Song et al. 2021, arXiv 2011.13456.
struct Ve {
  double label_scale = 1;  ///< above 0

  void validate() const {
    require(label_scale > 0 && std::isfinite(label_scale), "Ve::label_scale", label_scale, "positive numbers");
  }
  template <class T>
  auto sigma(const T& t) const {
    return t;
  }
  template <class T>
  auto time(const T& sigma) const {
    return sigma;
  }
  template <class T>
  auto label(const T& sigma) const {
    return label_scale * sigma;
  }
  template <class T>
  unit_t alpha(const T&) const {
    return unit;
  }
};

}  // namespace fewstep
