// The arithmetic of combine() on arrays, without expression templates: compiled once per scalar type and number of
// terms, not once per solver.
#pragma once

#include "../errors.hpp"

#include <Eigen/Core>

#include <cstddef>

namespace fewstep::detail {

/// Gives out the shape of the terms.
/// @throws std::invalid_argument for terms of different shapes, for example if a denoiser changes the shape of x.
template <class X>
void match_shapes(X& out, const X* const* terms, std::size_t count) {
  const Eigen::Index rows = terms[0]->rows(), columns = terms[0]->cols();
  for (std::size_t k = 1; k < count; ++k)
    if (terms[k]->rows() != rows || terms[k]->cols() != columns)
      refuse("the shape of a denoised batch", {terms[k]->rows(), " x ", terms[k]->cols()},
             {rows, " x ", columns, ", as the state"});
  if (out.rows() != rows || out.cols() != columns) out.resize(rows, columns);
}

/// w[k] v[k][i] + (w[k + 1] v[k + 1][i] + (...)) for the numbers i, i + 1, ... of a Packet.
template <std::size_t k, class Packet, class Scalar, std::size_t terms>
inline Packet packet_sum(Eigen::Index i, const Scalar* const (&v)[terms], const Packet (&w)[terms]) {
  const Packet term = Eigen::internal::pmul(w[k], Eigen::internal::ploadu<Packet>(v[k] + i));
  if constexpr (k + 1 == terms) return term;
  else return Eigen::internal::padd(term, packet_sum<k + 1>(i, v, w));
}

/// out[i] <- w[0] v[0][i] + (w[1] v[1][i] + (...)) for the numbers i = begin, begin + stride, ... below end: those that
/// fill no packet. Compiled once per scalar type.
/// @param slope  v[1], if slope[i] <- inverse (v[0][i] - slope[i]) is to be computed before; else null
template <class Scalar>
[[gnu::noinline]] void weighted_sum_one_by_one(Scalar* out, Eigen::Index begin, Eigen::Index end, Eigen::Index stride,
                                               const Scalar* const* v, const Scalar* w, std::size_t terms,
                                               Scalar* slope, Scalar inverse) {
  for (Eigen::Index i = begin; i < end; i += stride) {
    if (slope) slope[i] = inverse * (v[0][i] - slope[i]);
    Scalar sum = w[terms - 1] * v[terms - 1][i];
    for (std::size_t k = terms - 1; k-- > 0;) sum = w[k] * v[k][i] + sum;
    out[i] = sum;
  }
}

/// The terms of a sum in packets. Local copies, so that the compiler knows that no store changes them.
template <class Scalar, std::size_t terms>
struct PacketTerms {
  using Packet = typename Eigen::internal::packet_traits<Scalar>::type;
  const Scalar* v[terms];
  Packet w[terms];

  PacketTerms(const Scalar* const (&term)[terms], const Scalar (&weight)[terms]) {
    for (std::size_t k = 0; k < terms; ++k) {
      v[k] = term[k];
      w[k] = Eigen::internal::pset1<Packet>(weight[k]);
    }
  }
};

/// The number of leading numbers that are summed in packets.
template <class Scalar>
Eigen::Index in_packets(Eigen::Index size, Eigen::Index stride) {
  return stride == 1 ? size - size % Eigen::internal::packet_traits<Scalar>::size : 0;
}

/// out[i] <- w[0] v[0][i] + (w[1] v[1][i] + (...)) for `size` numbers that lie `stride` apart. The last terms are added
/// first. out may be one of the terms.
template <class Scalar, std::size_t terms>
[[gnu::noinline]] void weighted_sum(Scalar* out, Eigen::Index size, Eigen::Index stride,
                                    const Scalar* const (&v)[terms], const Scalar (&w)[terms]) {
  const PacketTerms<Scalar, terms> t(v, w);
  const Eigen::Index wide = in_packets<Scalar>(size, stride);
  for (Eigen::Index i = 0; i < wide; i += Eigen::internal::packet_traits<Scalar>::size)
    Eigen::internal::pstoreu(out + i, packet_sum<0>(i, t.v, t.w));
  if (wide != size) weighted_sum_one_by_one<Scalar>(out, wide * stride, size * stride, stride, v, w, terms, nullptr, 0);
}

/// weighted_sum() with out = v[0] = x and v[1] = d, after d[i] <- inverse (x[i] - d[i]), in one pass over memory.
/// @tparam unit_first  whether w[0] is 1: the multiplication would take a fifth of the time
template <bool unit_first, class Scalar, std::size_t terms>
[[gnu::noinline]] void slope_and_sum(Scalar* x, Scalar* d, Scalar inverse, Eigen::Index size, Eigen::Index stride,
                                     const Scalar* const (&v)[terms], const Scalar (&w)[terms]) {
  using namespace Eigen::internal;
  const PacketTerms<Scalar, terms> t(v, w);
  using Packet = typename PacketTerms<Scalar, terms>::Packet;
  const auto wide_inverse = pset1<Packet>(inverse);
  const Eigen::Index wide = in_packets<Scalar>(size, stride);
#pragma GCC unroll 2
  for (Eigen::Index i = 0; i < wide; i += packet_traits<Scalar>::size) {
    const Packet old_x = ploadu<Packet>(x + i);
    const Packet slope = pmul(wide_inverse, psub(old_x, ploadu<Packet>(d + i)));
    pstoreu(d + i, slope);
    Packet sum = pmul(t.w[1], slope);
    if constexpr (terms > 2) sum = padd(sum, packet_sum<2>(i, t.v, t.w));
    if constexpr (unit_first) pstoreu(x + i, padd(old_x, sum));
    else pstoreu(x + i, padd(pmul(t.w[0], old_x), sum));
  }
  if (wide != size) weighted_sum_one_by_one(x, wide * stride, size * stride, stride, v, w, terms, d, inverse);
}

}  // namespace fewstep::detail
