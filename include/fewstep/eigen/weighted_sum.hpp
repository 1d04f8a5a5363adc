// The arithmetic of combine() on arrays, without expression templates: compiled once per scalar type and number of
// terms, not once per solver.
#pragma once

#include <Eigen/Core>

#include <cstddef>

namespace fewstep::detail {

/// w[k] v[k][i] + (w[k + 1] v[k + 1][i] + (...)) for the numbers i, i + 1, ... of a Packet.
template <std::size_t k, class Packet, class Scalar, std::size_t terms>
inline Packet packet_sum(Eigen::Index i, const Scalar* const (&v)[terms], const Packet (&w)[terms]) {
  const Packet term = Eigen::internal::pmul(w[k], Eigen::internal::ploadu<Packet>(v[k] + i));
  if constexpr (k + 1 == terms) return term;
  else return Eigen::internal::padd(term, packet_sum<k + 1>(i, v, w));
}

/// out[i] <- w[0] v[0][i] + (w[1] v[1][i] + (...)) for `size` numbers that lie `stride` apart. The last terms are added
/// first. out may be one of the terms.
template <class Scalar, std::size_t terms>
void weighted_sum(Scalar* out, Eigen::Index size, Eigen::Index stride, const Scalar* const (&v)[terms],
                  const Scalar (&w)[terms]) {
  using Packet = typename Eigen::internal::packet_traits<Scalar>::type;
  constexpr Eigen::Index width = Eigen::internal::packet_traits<Scalar>::size;
  Eigen::Index i = 0;
  if (stride == 1) {
    Packet wide[terms];
    for (std::size_t k = 0; k < terms; ++k) wide[k] = Eigen::internal::pset1<Packet>(w[k]);
    for (; i + width <= size; i += width) Eigen::internal::pstoreu(out + i, packet_sum<0>(i, v, wide));
  }
  for (i *= stride; i < size * stride; i += stride) out[i] = packet_sum<0>(i, v, w);
}

}  // namespace fewstep::detail
