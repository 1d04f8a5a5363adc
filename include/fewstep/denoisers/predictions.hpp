// Denoisers of networks trained to predict the noise, the clean data or v, for any noise process (noise_process.hpp,
// noise_table.hpp, or one of your own).
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

/// D = alpha^2 x - alpha sigma v(alpha x, label): in the network's own terms z = alpha x, x0 = alpha z - (alpha sigma)
/// v.
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

/// A network that predicts the unit noise (Ho et al. 2020, arXiv 2006.11239).
/// @param network  (input, label), in any form of a denoiser
/// @param process  how it was noised in training
/// @throws std::invalid_argument for a process whose options do not fit.
template <class F, NoiseProcess P>
Preconditioned<F, FromEpsilon<P>> from_epsilon(F network, P process) {
  return precondition(std::move(network), FromEpsilon<P>{detail::checked_process(std::move(process))});
}

/// A network that predicts the clean data; otherwise as from_epsilon.
template <class F, NoiseProcess P>
Preconditioned<F, FromX0<P>> from_x0(F network, P process) {
  return precondition(std::move(network), FromX0<P>{detail::checked_process(std::move(process))});
}

/// A network that predicts v = alpha noise - (alpha sigma) x0 (Salimans & Ho 2022, arXiv 2202.00512, section 4);
/// otherwise as from_epsilon.
template <class F, NoiseProcess P>
auto from_v(F network, P process) {
  static_assert(VariancePreserving<P>,
                "from_v: v gives x0 back only where alpha^2 + (alpha sigma)^2 = 1: use a variance-preserving process");
  return precondition(std::move(network), FromV<P>{detail::checked_process(std::move(process))});
}

}  // namespace fewstep
