#pragma once

#include "../errors.hpp"
#include "preconditioned.hpp"

#include <cmath>
#include <utility>

namespace fewstep {

/// EDM's preconditioning, a rule for Precondition, which has the formula of these factors.
///
///   skip = sd^2/(sigma^2 + sd^2),   out = sigma sd/sqrt(sigma^2 + sd^2),
///   in = 1/sqrt(sigma^2 + sd^2),    label = ln(sigma)/4
///
/// sd: sigma_data, the standard deviation of the training data.
/// Source: Karras et al. 2022, arXiv 2206.00364, equation 7 and table 1.
struct Edm {
  double sigma_data = 0.5;  ///< above 0

  template <class T>
  auto total(const T& s) const {
    return s * s + sigma_data * sigma_data;
  }
  template <class T>
  auto label(const T& s) const {
    using std::log;
    return 0.25 * log(s);
  }
  template <class T>
  auto in(const T& s) const {
    using std::sqrt;
    return 1. / sqrt(total(s));
  }
  template <class T>
  auto skip(const T& s) const {
    return sigma_data * sigma_data / total(s);
  }
  template <class T>
  auto out(const T& s) const {
    using std::sqrt;
    return s * sigma_data / sqrt(total(s));
  }
};

/// The denoiser of a raw EDM network F.
/// @param network     (input, label) -> F, in any form of a denoiser
/// @param sigma_data  standard deviation of the training data, above 0; 0.5 for EDM's networks of images
/// @throws std::invalid_argument for sigma_data out of range.
/// NFE per call: that of `network`.
template <class F>
Preconditioned<F, Edm> edm_preconditioned(F network, double sigma_data = 0.5) {
  require(std::isfinite(sigma_data) && sigma_data > 0, "sigma_data", sigma_data, "positive numbers");
  return precondition(std::move(network), Edm{sigma_data});
}

}  // namespace fewstep
