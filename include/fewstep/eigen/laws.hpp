// The probe of the laws for Eigen arrays.
#pragma once

#include "../laws/probe.hpp"
#include "algebra.hpp"

#include <cstddef>
#include <limits>
#include <vector>

namespace fewstep::laws {

/// Batches of 3 samples with 4 numbers each, except where the array has fixed sizes.
template <class Scalar, int N, int Batch, int Layout, int MaxN, int MaxBatch>
struct probe<Eigen::Array<Scalar, N, Batch, Layout, MaxN, MaxBatch>> {
  using X = Eigen::Array<Scalar, N, Batch, Layout, MaxN, MaxBatch>;
  static constexpr bool resizable = Batch == Eigen::Dynamic;
  static constexpr auto samples = static_cast<std::size_t>(resizable ? 3 : Batch),
                        numbers = static_cast<std::size_t>(N == Eigen::Dynamic ? 4 : N);
  static constexpr double epsilon = std::numeric_limits<Scalar>::epsilon();
  static constexpr bool bitwise = true;

  static X make(const Rows& rows) { return array<X>(rows); }
  static Rows read(const X& x) {
    Rows rows(static_cast<std::size_t>(x.cols()));
    for (Eigen::Index b = 0; b < x.cols(); ++b)
      for (Eigen::Index i = 0; i < x.rows(); ++i) rows[static_cast<std::size_t>(b)].push_back(x(i, b));
    return rows;
  }
  static Level<X> levels(const std::vector<double>& values) {
    Level<X> t(0.);
    auto& each = t.each(static_cast<Eigen::Index>(values.size()));
    for (Eigen::Index b = 0; b < each.size(); ++b) each[b] = values[static_cast<std::size_t>(b)];
    return t;
  }
  static double level(const Level<X>& t, std::size_t b) { return t[static_cast<Eigen::Index>(b)]; }
  static Features<X> features(const Rows& rows) { return array<Features<X>>(rows); }

 private:
  template <class A>
  static A array(const Rows& rows) {
    A x(static_cast<Eigen::Index>(rows[0].size()), static_cast<Eigen::Index>(rows.size()));
    for (Eigen::Index b = 0; b < x.cols(); ++b)
      for (Eigen::Index i = 0; i < x.rows(); ++i)
        x(i, b) = static_cast<typename A::Scalar>(rows[static_cast<std::size_t>(b)][static_cast<std::size_t>(i)]);
    return x;
  }
};

}  // namespace fewstep::laws
