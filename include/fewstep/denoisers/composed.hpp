// Several conditions at once.
#pragma once

#include "../algebra.hpp"
#include "../branches.hpp"
#include "../errors.hpp"
#include "adaptor.hpp"

#include <array>
#include <cmath>
#include <cstddef>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

namespace fewstep {

/// The rule of composed().
template <std::size_t N>
struct Composition {
  std::array<double, N> weights;

  template <State X, class First, class... D>
  bool operator()(const X& x, const Level<X>& sigma, X& out, Features<X>& features, First& first, D&... others) const {
    const bool has_features = detail::denoise(first, x, sigma, out, features);
    scale(out, weights[0], out);
    X next = algebra<X>::like(x);
    Features<X> unused{};
    std::size_t k = 1;
    ((detail::denoise(others, x, sigma, next, unused), add_scaled(out, weights[k++], next)), ...);
    return has_features;
  }

  template <class... D>
  std::size_t branches(const D&...) const {
    return N;
  }
  template <class... D>
  std::vector<double> combination(const D&...) const {
    return {weights.begin(), weights.end()};
  }
  template <class X, class... D>
  void evaluate_branches(const Level<X>& sigma, BranchCall<X>& call, D&... denoisers) const {
    call.require_branches(N, N == 2 ? std::optional(weights[0]) : std::nullopt);
    std::size_t k = 0;
    (detail::evaluate_branch(denoisers, sigma, call, k++), ...);
  }
};

/// A weighted sum of denoisers, such as those of several prompts: D = w0 D0 + w1 D1 + ...
///
/// With an unconditional denoiser first, composed({1 - s1 - s2, s1, s2}, unconditional, one, other) guides by two
/// conditions at once with scales s1 and s2. Features are those of the first denoiser.
/// @param weights    one finite number per denoiser; their sum is 1 for guidance
/// @param denoisers  any denoisers, which are the branches of this one (BranchedDenoiser)
/// NFE per call: the sum of all.
/// @throws std::invalid_argument for a weight that is not finite.
/// Source: Liu et al. 2022, arXiv 2206.01714, equation 11.
template <std::size_t N, class... D>
  requires(sizeof...(D) == N && N > 0)
auto composed(const double (&weights)[N], D... denoisers) {
  Composition<N> rule;
  for (std::size_t k = 0; k < N; ++k) {
    require(std::isfinite(weights[k]), {"weights[", k, "]"}, weights[k], "finite numbers");
    rule.weights[k] = weights[k];
  }
  return detail::adapt(rule, std::move(denoisers)...);
}

}  // namespace fewstep
