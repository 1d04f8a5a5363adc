// Weights of each solver as plain functions of noise levels, against their definition in 50 digits: coefficients of equal steps
// as fractions, exponential integrators as integrals of Lagrange polynomials.
#include "support/catch.hpp"
#include "support/configurations.hpp"

#include <boost/multiprecision/cpp_dec_float.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <tuple>
#include <type_traits>
#include <vector>

using namespace fewstep;

namespace {

using Real = boost::multiprecision::cpp_dec_float_50;

/// Within 1e-13 of the sum of the magnitudes.
template <class Tuple, std::size_t N>
void agree(const Tuple& got, const std::array<Real, N>& want) {
  static_assert(std::tuple_size_v<Tuple> == N);
  Real scale = 0;
  for (const Real& w : want) scale += abs(w);
  std::size_t i = 0;
  const auto compare = [&](auto w) {
    Real number = 1;
    if constexpr (!std::is_same_v<decltype(w), unit_t>) number = w;
    INFO("weight " << i << " is " << number << " instead of " << want[i]);
    CHECK(abs(number - want[i]) <= 1e-13 * scale);
    ++i;
  };
  std::apply([&](const auto&... w) { (compare(w), ...); }, got);
}

/// Random decreasing levels q > p > t > s with log steps whose ratios stay within [1/4, 4].
struct Levels {
  double q, p, t, s;
};
std::vector<Levels> grids() {
  std::mt19937_64 random(1);
  const auto uniform = [&] { return static_cast<double>(random() >> 11) * 0x1p-53; };
  std::vector<Levels> list;
  for (int i = 0; i < 300; ++i) {
    const double h = std::pow(10, -3 + 3.5 * uniform());  // from almost equal levels to a factor of 20
    const auto step = [&] { return h * std::pow(4., uniform() - 0.5); };
    const double s = std::pow(10, -3 + 4 * uniform()), t = s * std::exp(step()), p = t * std::exp(step());
    list.push_back({p * std::exp(step()), p, t, s});
  }
  return list;
}

/// The integrals over u from 0 to h of exp(a (u - h)), times the Lagrange polynomials through the nodes.
template <std::size_t N>
std::array<Real, N> integrals(const std::array<Real, N>& node, const Real& h, int a) {
  std::array<Real, N> moment;  // of u^k, by parts
  for (std::size_t k = 0; k < N; ++k)
    moment[k] = k == 0 ? Real((1 - exp(-a * h)) / a) : Real((pow(h, static_cast<int>(k)) - k * moment[k - 1]) / a);
  std::array<Real, N> result;
  for (std::size_t j = 0; j < N; ++j) {
    std::array<Real, N> c{};  // coefficients of the polynomial that is 1 at node j and 0 at the others
    c[0] = 1;
    for (std::size_t i = 0, degree = 0; i < N; ++i)
      if (i != j) {
        for (std::size_t k = ++degree + 1; k-- > 0;)
          c[k] = ((k > 0 ? c[k - 1] : Real(0)) - node[i] * c[k]) / (node[j] - node[i]);
      }
    result[j] = 0;
    for (std::size_t k = 0; k < N; ++k) result[j] += c[k] * moment[k];
  }
  return result;
}

}  // namespace

TEST_CASE("Adams-Bashforth weights of iPNDM") {
  for (const auto& [q, p, t, s] : grids()) {
    const Real h = Real(s) - Real(t);
    agree(Ipndm::weights_1(t, s), std::array<Real, 2>{1, h});
    agree(Ipndm::weights_2(t, s), std::array<Real, 3>{1, h * 3 / 2, -h / 2});
    agree(Ipndm::weights_3(t, s), std::array<Real, 4>{1, h * 23 / 12, -h * 16 / 12, h * 5 / 12});
    agree(Ipndm::weights_4(t, s), std::array<Real, 5>{1, h * 55 / 24, -h * 59 / 24, h * 37 / 24, -h * 9 / 24});
  }
}

TEST_CASE("AMED-Solver weights") {
  for (const auto& [q, p, t, s] : grids()) agree(AmedSolver<>::weights(1.01, t, s), std::array<Real, 2>{1, Real(1.01) * (Real(s) - t)});
}

TEST_CASE("DPM-Solver-2 weights with a free ratio") {
  for (const auto& [q, p, t, s] : grids())
    for (const double r : {0.2, 0.5, 0.9}) {
      const Real h = Real(s) - Real(t), w = 1 / (2 * Real(r));
      agree(DpmSolver2<>::weights(r, 1., t, s), std::array<Real, 3>{1, (1 - w) * h, w * h});
      agree(DpmSolver2<>::weights(r, 1.01, t, s), std::array<Real, 3>{1, (1 - w) * h * Real(1.01), w * h * Real(1.01)});
    }
}

// With u = log(t / sigma): x' = (s/t) x + integral of exp(u - h) D, or x - s * integral of exp(h - u) noise.
TEST_CASE("DPM-Solver++ weights, orders 1 and 3") {
  for (const auto& [q, p, t, s] : grids()) {
    const Real h = log(Real(t) / s), at_p = log(Real(t) / p), at_q = log(Real(t) / q);
    const auto [d] = integrals<1>({0}, h, 1);
    const auto [e] = integrals<1>({0}, h, -1);
    agree(Dpmpp::data_1(t, s), std::array<Real, 2>{Real(s) / t, d});
    agree(Dpmpp::noise_1(t, s), std::array<Real, 2>{1, -s * e});
    const auto [d0, d1, d2] = integrals<3>({0, at_p, at_q}, h, 1);
    const auto [e0, e1, e2] = integrals<3>({0, at_p, at_q}, h, -1);
    agree(Dpmpp::data_3(q, p, t, s), std::array<Real, 4>{Real(s) / t, d0, d1, d2});
    agree(Dpmpp::noise_3(q, p, t, s), std::array<Real, 4>{1, -s * e0, -s * e1, -s * e2});
  }
}

TEST_CASE("DPM-Solver++ weights, order 2: half the first weight in place of the exact integral, as published") {
  for (const auto& [q, p, t, s] : grids()) {
    const Real data = 1 - Real(s) / t, noise = Real(s) - t, k = log(Real(t) / s) / log(Real(p) / t) / 2;
    agree(Dpmpp::data_2(p, t, s), std::array<Real, 3>{Real(s) / t, data * (1 + k), -data * k});
    agree(Dpmpp::noise_2(p, t, s), std::array<Real, 3>{1, noise * (1 + k), -noise * k});
  }
}

TEST_CASE("phi functions, small and large arguments, against their series") {
  const auto series = [](int k, const Real& z) {
    Real term = 1, sum = 0;
    for (int i = 1; i <= k; ++i) term /= i;
    for (int j = 0; j < 150; ++j) {
      sum += term;
      term *= z / (j + 1 + k);
    }
    return sum;
  };
  for (const double z : {-30., -8., -1.5, -1., -0.999, -0.3, -1e-3, -1e-9, 1e-12, 1e-5, 0.1, 0.9999, 1., 1.0001, 3., 8.}) {
    INFO("z = " << z);
    CHECK(abs(detail::phi<1>(z) - series(1, z)) <= 1e-15 * series(1, z));
    CHECK(abs(detail::phi<2>(z) - series(2, z)) <= 2e-15 * series(2, z));
    CHECK(abs(detail::phi<3>(z) - series(3, z)) <= 4e-15 * series(3, z));
  }
}

TEST_CASE("the share of x that a step keeps") {
  CHECK(carry(Target::denoised, 4., 1.) == 0.25);
  CHECK(carry(Target::slope, 4., 1.) == 1);
}
