// Weights of each solver as plain functions of noise levels, against the published formulas in long double.
#include "support/catch.hpp"
#include "support/types.hpp"

#include <random>

using namespace fewstep;

namespace {

using Real = long double;

template <class Tuple, std::size_t N>
void agree(const Tuple& got, const std::array<Real, N>& want) {
  static_assert(std::tuple_size_v<Tuple> == N);
  Real scale = 0;
  for (const Real w : want) scale += std::abs(w);
  std::size_t i = 0;
  const auto number = [](auto w) -> Real {
    if constexpr (std::is_same_v<decltype(w), unit_t>) return 1;
    else return w;
  };
  const auto compare = [&](auto w) {
    INFO("weight " << i);
    CHECK(std::abs(number(w) - want[i]) <= 1e-13L * scale);
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
    const double h = std::pow(10, -4 + 4.5 * uniform());  // from almost equal levels to a factor of 20
    const auto step = [&] { return h * std::pow(4., uniform() - 0.5); };
    const double s = std::pow(10, -3 + 4 * uniform()), t = s * std::exp(step()), p = t * std::exp(step());
    list.push_back({p * std::exp(step()), p, t, s});
  }
  return list;
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

TEST_CASE("DPM-Solver-2 weights with a free ratio") {
  for (const auto& [q, p, t, s] : grids())
    for (const double r : {0.2, 0.5, 0.9}) {
      const Real h = Real(s) - Real(t), w = 1 / (2 * Real(r));
      agree(DpmSolver2<>::weights(r, 1., t, s), std::array<Real, 3>{1, (1 - w) * h, w * h});
      agree(DpmSolver2<>::weights(r, 1.01, t, s), std::array<Real, 3>{1, (1 - w) * h * 1.01, w * h * 1.01});
    }
}

// Lu et al. 2022, appendix B, with phi written through expm1. The cancelling recurrences lose digits for small h even in
// long double, so grids with h < 0.01 are left to the series test below.
TEST_CASE("DPM-Solver++ weights") {
  for (const auto& [q, p, t, s] : grids()) {
    const Real h = std::log(Real(t) / s), h0 = std::log(Real(p) / t), h1 = std::log(Real(q) / p);
    const Real r0 = h0 / h, r1 = h1 / h;
    const Real data1 = std::expm1(-h), noise1 = std::expm1(h);
    agree(Dpmpp::data_1(t, s), std::array<Real, 2>{Real(s) / t, -data1});
    agree(Dpmpp::noise_1(t, s), std::array<Real, 2>{1, -s * noise1});
    agree(Dpmpp::data_2(p, t, s), std::array<Real, 3>{Real(s) / t, -data1 * (1 + 1 / (2 * r0)), data1 / (2 * r0)});
    agree(Dpmpp::noise_2(p, t, s), std::array<Real, 3>{1, -s * noise1 * (1 + 1 / (2 * r0)), s * noise1 / (2 * r0)});
    if (h < 0.01L) continue;
    const auto third = [&](Real first, Real a, Real b, Real c) {
      const Real on_d = (b + (b * r0 + c) / (r0 + r1)) / r0, tilt = (b * r0 + c) / (r0 + r1);
      return std::array<Real, 4>{first, a + on_d, -on_d - tilt / r1, tilt / r1};
    };
    const Real data2 = data1 / h + 1, data3 = data2 / h - 0.5L;
    agree(Dpmpp::data_3(q, p, t, s), third(Real(s) / t, -data1, data2, -data3));
    const Real noise2 = noise1 / h - 1, noise3 = noise2 / h - 0.5L;
    agree(Dpmpp::noise_3(q, p, t, s), third(1, -s * noise1, -s * noise2, -s * noise3));
  }
}

TEST_CASE("phi functions, small and large arguments, against their series in long double") {
  const auto series = [](int k, Real z) {
    Real term = 1, sum = 0;
    for (int i = 1; i <= k; ++i) term /= i;
    for (int j = 0; j < 120; ++j) {
      sum += term;
      term *= z / (j + 1 + k);
    }
    return sum;
  };
  for (const double z : {-8., -1.5, -1., -0.999, -0.3, -1e-3, -1e-9, 1e-12, 1e-5, 0.1, 0.9999, 1., 1.0001, 3., 8.}) {
    INFO("z = " << z);
    // For large negative z the alternating series itself loses digits: compare to its largest term.
    const Real slack = z < -2 ? 1e-10L : 2e-15L;
    CHECK(std::abs(detail::phi<1>(z) - series(1, z)) <= slack * series(1, z));
    CHECK(std::abs(detail::phi<2>(z) - series(2, z)) <= slack * series(2, z) + 1e-15L);
    CHECK(std::abs(detail::phi<3>(z) - series(3, z)) <= slack * series(3, z) + 2e-15L);
  }
}

TEST_CASE("the share of x that a step keeps") {
  CHECK(carry(Target::denoised, 4., 1.) == 0.25);
  CHECK(carry(Target::slope, 4., 1.) == 1);
}
