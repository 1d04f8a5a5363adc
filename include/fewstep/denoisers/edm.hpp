#pragma once

#include "../algebra.hpp"
#include "../errors.hpp"

#include <cmath>
#include <tuple>
#include <utility>

namespace fewstep {

/// EDM preconditioning: turns a raw network F into a denoiser (Karras et al. 2022, arXiv 2206.00364, equation 7),
///   D(x, sigma) = c_skip x + c_out F(c_in x, ln(sigma)/4),
///   c_skip = sd^2/(sigma^2 + sd^2),   c_out = sigma sd/sqrt(sigma^2 + sd^2),   c_in = 1/sqrt(sigma^2 + sd^2).
/// `network(input, label, out)` with the label as Time<X>: out <- F.
template <class F>
struct EdmPreconditioned {
  F network;
  double sigma_data = 0.5;

  template <State X>
  void operator()(const X& x, const Time<X>& sigma, X& out) const {
    const double sd = sigma_data;
    X input = algebra<X>::like(x);
    Time<X> label(0.);
    combine(input, times(sigma), [sd](const auto& s) {
      using std::sqrt;
      return std::tuple{1. / sqrt(s * s + sd * sd)};
    }, x);
    map_time<X>(label, [](const auto& s) { using std::log; return 0.25 * log(s); }, sigma);
    network(std::as_const(input), std::as_const(label), out);
    combine(out, times(sigma), [sd](const auto& s) {
      using std::sqrt;
      const auto total = s * s + sd * sd;
      return std::tuple{sd * sd / total, s * sd / sqrt(total)};
    }, x, out);
  }
};

/// @throws std::invalid_argument unless sigma_data is positive.
template <class F>
EdmPreconditioned<F> edm_preconditioned(F network, double sigma_data = 0.5) {
  require(sigma_data > 0, "sigma_data", sigma_data, "positive numbers");
  return {std::move(network), sigma_data};
}

}  // namespace fewstep
