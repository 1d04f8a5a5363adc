// Integrals over noise levels, for doubles and for tensors.
#pragma once

#include "../../algebra.hpp"

#include <array>
#include <cstddef>
#include <vector>

namespace fewstep::detail {

/// A node and weight of the ten-point Gauss-Legendre rule on [-1, 1]; the node -node has the same weight. The rule is
/// exact for polynomials up to degree 19.
struct GaussLegendre {
  double node, weight;
};
inline constexpr GaussLegendre gauss_legendre[] = {{0.14887433898163122, 0.29552422471475287},
                                                   {0.4333953941292472, 0.26926671930999635},
                                                   {0.6794095682990244, 0.21908636251598204},
                                                   {0.8650633666889845, 0.1494513491505806},
                                                   {0.9739065285171717, 0.06667134430868814}};

/// The integrals of K functions from 0 to `end`, by the Gauss-Legendre rule on equal pieces. Where levels are tensors,
/// the functions are evaluated at all nodes at once, because an operation on a small tensor costs as much as on a large
/// one.
/// @param pieces  1 or more
/// @param f       f(y, w) -> std::array<T, K>: the K functions at y, each multiplied by w
template <std::size_t K, class T, class F>
std::array<T, K> integrate(const T& end, int pieces, F f) {
  const T half = end * (0.5 / pieces);  // of a piece
  const auto for_each_node = [pieces](auto visit) {
    for (int piece = 0; piece < pieces; ++piece)
      for (const auto& [node, weight] : gauss_legendre)
        for (const double side : {-1., 1.}) visit(2 * piece + 1 + side * node, weight);
  };
  std::array<T, K> sum;
  if constexpr (requires(std::vector<double> v) { algebra<T>::along_new_axis(v, half); }) {
    std::vector<double> nodes, weights;
    for_each_node([&](double node, double weight) {
      nodes.push_back(node);
      weights.push_back(weight);
    });
    const std::array<T, K> values =
        f(T(half * algebra<T>::along_new_axis(nodes, half)), T(algebra<T>::along_new_axis(weights, half) * half));
    for (std::size_t k = 0; k < K; ++k) sum[k] = algebra<T>::sum_new_axis(values[k]);
  } else {
    sum.fill(0. * end);
    for_each_node([&](double node, double weight) {
      const std::array<T, K> value = f(T(half * node), T(weight * half));
      for (std::size_t k = 0; k < K; ++k) sum[k] = sum[k] + value[k];
    });
  }
  return sum;
}

}  // namespace fewstep::detail
