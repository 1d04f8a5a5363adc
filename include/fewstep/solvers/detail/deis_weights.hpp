#pragma once

#include "../../processes/vp_linear.hpp"
#include "../dpmpp.hpp"
#include "quadrature.hpp"
#include "vandermonde.hpp"

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <string_view>
#include <type_traits>

namespace fewstep {

/// In which variable u of the noise level a polynomial is drawn through past outputs: sigma, its logarithm, or the time
/// of a variance-preserving process.
enum class Variable { sigma, log_sigma, time };
constexpr std::array<std::string_view, 3> names_of(Variable) { return {"sigma", "log_sigma", "time"}; }

namespace detail {

/// The process of the schedule `time_uniform` from 80 to 0.002.
inline const VpLinear& deis_process() {
  static const VpLinear p = VpLinear::through(0.002, 80);
  return p;
}

/// The weights of Deis: of outputs at the levels `node`, the newest first, for a step from node[0] to s.
template <class T, std::size_t K>
std::array<T, K> deis_weights(Variable variable, Target target, const T& s, const std::array<T, K>& node) {
  const T& t = node[0];
  if constexpr (K == 1) {
    return {target == Target::denoised ? 1. - s / t : s - t};
  } else {
    // Levels as log(sigma/t), where near ones stay apart; in sigma itself as sigma - t.
    const auto u = [&](const T& y) -> T {
      using std::exp;
      return variable == Variable::time ? deis_process().time(T(t * exp(y))) : y;
    };
    std::array<T, K> place;
    for (std::size_t k = 0; k < K; ++k) {
      using std::log;
      place[k] = variable == Variable::sigma ? T(node[k] - t) : u(log(node[k] / t));
    }
    const auto lagrange = [&](const T& at, const T& weight) { return detail::lagrange(place, at, weight); };
    if (variable == Variable::sigma) return detail::integrate<K>(T(s - t), 1, lagrange);
    using std::exp, std::log;
    const T length = log(s / t);
    const auto slope = [&](const T& y, const T& w) {
      return lagrange(u(y), target == Target::denoised ? T(-1. * s / t * exp(-1. * y) * w) : T(t * exp(y) * w));
    };
    if constexpr (std::is_arithmetic_v<T>)
      return detail::integrate<K>(length, 1 + static_cast<int>(std::abs(length)), slope);
    else
      return detail::integrate<K>(length, 12,
                                  slope);  // for steps of up to five decades: a tensor's levels are not known here
  }
}

}  // namespace detail
}  // namespace fewstep
