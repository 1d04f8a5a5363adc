// States and problems that the tests share.
#pragma once

#include "configurations.hpp"
#include "message.hpp"

#include <fewstep/eigen.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace fewstep::test {

using Array = Eigen::ArrayXXd;
using FixedArray = Eigen::Array<double, 4, 2>;
using FixedColumn = Eigen::Array<float, 3, 1>;

/// Three components in four dimensions, far enough apart that the ODE is not linear.
inline GaussianMixture mixture() {
  return {{0.5, 0.3, 0.2}, {{0.8, -0.4, 0.3, -0.9}, {-0.6, 0.7, -1.2, 0.2}, {0.1, 1.3, 0.5, 0.6}}, {0.2, 0.35, 0.1}};
}

/// Unit noise in the plane: one column for each of `count` seeds, beginning with `first`.
inline Array cloud(std::uint64_t first, std::size_t count) { return noise(seed_range(first, count), 2); }
/// A mixture of two components in the plane.
inline const MixtureDenoiser plane({.weights = {0.5, 0.5}, .means = {{1, 0}, {-1, 0.5}}, .deviations = {0.2, 0.3}});

/// D = c for every x. Every solver must end at c + (sigma_end / sigma_max) (x - c).
struct Constant {
  double value = 0.3;
  template <class X, class T>
  void operator()(const X&, const T&, X& out) const {
    out.setConstant(static_cast<typename X::Scalar>(value));
  }
};

extern template std::vector<Configuration<Array>> configurations<Array>();
extern template std::vector<Configuration<Eigen::ArrayXXf>> configurations<Eigen::ArrayXXf>();
extern template std::vector<Configuration<FixedArray>> configurations<FixedArray>();
extern template std::vector<Configuration<FixedColumn>> configurations<FixedColumn>();

}  // namespace fewstep::test

namespace fewstep {
extern template AnySolver<test::Array> make_solver<test::Array>(std::string_view, const SolverSettings&);
}
