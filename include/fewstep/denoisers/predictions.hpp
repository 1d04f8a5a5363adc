// Denoisers of networks that were trained to predict the noise, the clean data or v, for any noise process: those of
// processes/, or a type of your own that models NoiseProcess.
#pragma once

#include "../algebra.hpp"
#include "../processes/noise_process.hpp"
#include "preconditioned.hpp"

#include <utility>

namespace fewstep {

/// D = x - sigma eps(alpha x, label)
template <NoiseProcess P>
struct FromEpsilon : P {
  template <class T>
  auto in(const T& sigma) const {
    return this->alpha(sigma);
  }
  template <class T>
  unit_t skip(const T&) const {
    return unit;
  }
  template <class T>
  auto out(const T& sigma) const {
    return -1. * sigma;
  }
};

/// D = F(alpha x, label)
template <NoiseProcess P>
struct FromX0 : P {
  template <class T>
  auto in(const T& sigma) const {
    return this->alpha(sigma);
  }
  template <class T>
  unit_t out(const T&) const {
    return unit;
  }
};

/// D = alpha^2 x - alpha sigma v(alpha x, label), which is alpha z - alpha sigma v(z, label) for the input z = alpha x.
template <VariancePreserving P>
struct FromV : P {
  template <class T>
  auto in(const T& sigma) const {
    return this->alpha(sigma);
  }
  template <class T>
  auto skip(const T& sigma) const {
    const auto a = this->alpha(sigma);
    return a * a;
  }
  template <class T>
  auto out(const T& sigma) const {
    return -1. * sigma * this->alpha(sigma);
  }
};

/// The denoiser of a network that predicts the unit noise.
/// @param network  (input, label) -> noise, in any form of a denoiser
/// @param process  noise process of the training, e.g. VpLinear{.label_scale = 999} or Discrete{table}
/// @throws std::invalid_argument for an option of the process out of range.
/// NFE per call: that of `network`.
/// Source: Ho et al. 2020, arXiv 2006.11239.
template <class F, NoiseProcess P>
Preconditioned<F, FromEpsilon<P>> from_epsilon(F network, P process) {
  return precondition(std::move(network), FromEpsilon<P>{detail::checked_process(std::move(process))});
}

/// The denoiser of a network that predicts the clean data x0; otherwise as from_epsilon.
template <class F, NoiseProcess P>
Preconditioned<F, FromX0<P>> from_x0(F network, P process) {
  return precondition(std::move(network), FromX0<P>{detail::checked_process(std::move(process))});
}

/// The denoiser of a network that predicts v = alpha noise - alpha sigma x0; otherwise as from_epsilon.
/// @param process  variance-preserving
/// Source: Salimans & Ho 2022, arXiv 2202.00512, section 4.
template <class F, NoiseProcess P>
auto from_v(F network, P process) {
  static_assert(VariancePreserving<P>, "from_v: the process must be variance-preserving, alpha^2 (1 + sigma^2) = 1");
  return precondition(std::move(network), FromV<P>{detail::checked_process(std::move(process))});
}

}  // namespace fewstep
