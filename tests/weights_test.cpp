// The weights of every solver, as functions of noise levels, against their definitions in 50 digits: fractions for
// equal steps, integrals of Lagrange polynomials for exponential integrators.
#include "support/catch.hpp"
#include "support/configurations.hpp"

#include <fewstep/laws/order.hpp>
#include <fewstep/laws/solver.hpp>
#include <fewstep/scalar.hpp>
#include <fewstep/schedules.hpp>

#include <boost/math/quadrature/gauss.hpp>
#include <boost/multiprecision/cpp_dec_float.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <stdexcept>
#include <tuple>
#include <type_traits>
#include <vector>

using namespace fewstep;

namespace {

using Real = boost::multiprecision::number<boost::multiprecision::cpp_dec_float<50>, boost::multiprecision::et_off>;

/// Checks each weight to within 1e-13 of the sum of their magnitudes.
template <class Weights, std::size_t N>
void agree(const Weights& got, const std::array<Real, N>& want) {
  static_assert(detail::pack_size<Weights> == N);
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
  std::apply([&](const auto&... w) { (compare(w), ...); }, detail::as_tuple(got));
}

/// Random levels q > p > t > s. The ratios of their steps in log(sigma) are in [1/4, 4].
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

/// The coefficients c_k of sum_k c_k u^k, the Lagrange polynomial that is 1 at node j and 0 at the others.
template <std::size_t N>
std::array<Real, N> lagrange_coefficients(const std::array<Real, N>& node, std::size_t j) {
  std::array<Real, N> c{};
  c[0] = 1;
  for (std::size_t i = 0, degree = 0; i < N; ++i) {
    if (i == j) continue;
    ++degree;
    for (std::size_t k = degree + 1; k-- > 0;)
      c[k] = ((k > 0 ? c[k - 1] : Real(0)) - node[i] * c[k]) / (node[j] - node[i]);
  }
  return c;
}

/// The integrals over u from 0 to h of exp(a (u - h)), times the Lagrange polynomials through the nodes.
template <std::size_t N>
std::array<Real, N> integrals(const std::array<Real, N>& node, const Real& h, int a) {
  std::array<Real, N> moment;  // of u^k, by parts
  for (std::size_t k = 0; k < N; ++k)
    moment[k] = k == 0 ? Real((1 - exp(-a * h)) / a) : Real((pow(h, static_cast<int>(k)) - k * moment[k - 1]) / a);
  std::array<Real, N> result;
  for (std::size_t j = 0; j < N; ++j) {
    const std::array<Real, N> c = lagrange_coefficients(node, j);
    result[j] = 0;
    for (std::size_t k = 0; k < N; ++k) result[j] += c[k] * moment[k];
  }
  return result;
}

/// Euler's method, which records the arguments of its steps.
struct Recorder {
  std::vector<std::array<double, 5>>* steps;
  static constexpr Target target = Target::slope;
  static constexpr int evaluations() { return 1; }
  template <State X>
  NoMemory memory(const X&) const {
    return {};
  }
  template <State X, class M>
  void step(const Step<X>& n, X& x, X& d, M&, NoMemory&) const {
    steps->push_back(
        {n.from, n.to, static_cast<double>(n.index), static_cast<double>(n.count), static_cast<double>(n.remember)});
    x += (n.to - n.from) * d;
  }
};
}  // namespace

TEST_CASE("solvers that split a step pass each part its own index and count") {
  const auto denoise = [](double x, double) { return 0.5 * x; };
  const Schedule schedule({16, 4, 1});
  const Options not_in_history{.analytic_first_step = true, .analytic_in_history = false};
  std::vector<std::array<double, 5>> steps;
  sample(Richardson{Recorder{&steps}, 1}, denoise, schedule, 1., not_in_history);
  CHECK(steps ==
        std::vector<std::array<double, 5>>{
            {16, 4, 0, 2, 0}, {16, 8, 0, 4, 0}, {8, 4, 1, 4, 1}, {4, 1, 1, 2, 1}, {4, 2, 2, 4, 1}, {2, 1, 3, 4, 1}});
  steps.clear();
  sample(Amed{Recorder{&steps}, FixedRatio{0.5}}, denoise, schedule, 1., not_in_history);
  CHECK(steps ==
        std::vector<std::array<double, 5>>{{16, 8, 0, 4, 0}, {8, 4, 1, 4, 1}, {4, 2, 2, 4, 1}, {2, 1, 3, 4, 1}});
}

TEST_CASE("defaults, allowed orders, and evaluations of a step") {
  CHECK(Euler::evaluations() == 1);
  CHECK(Heun::evaluations() == 2);
  CHECK(DpmSolver2<>::evaluations() == 2);
  CHECK(AmedSolver<>::evaluations() == 2);
  CHECK(Dpmpp::evaluations() == 1);
  CHECK(Ipndm::evaluations() == 1);
  CHECK(Deis::evaluations() == 1);
  CHECK(UniPc::evaluations() == 1);
  CHECK(Plms::evaluations() == 2);
  StepCount at;
  CHECK(Plms::evaluations(at) == 2);
  CHECK(at.kept == 1);
  CHECK(Plms::evaluations(at) == 1);
  CHECK(Pndm::evaluations() == 4);
  CHECK(Richardson{Euler{}, 1}.evaluations() == 2);
  CHECK(Richardson{Heun{}, 2}.evaluations() == 5);
  CHECK(Dpmpp{}.order == 2);
  CHECK(Ipndm{}.order == 4);
  CHECK(Deis{}.order == 3);
  CHECK(UniPc{}.order == 3);
  CHECK(UniPc{}.uncorrected == 0);
  CHECK(SinglestepDpm{}.order == 3);
  CHECK(SinglestepDpm{}.r1 == 1. / 3);
  CHECK(SinglestepDpm{}.r2 == 2. / 3);
  CHECK(Richardson<Euler>{}.order == 1);
  CHECK(Plms::later_steps.order == 4);
  CHECK(Pndm::later_steps.order == 4);
  const auto orders = [](auto solver) {
    std::vector<int> allowed;
    for (solver.order = -1; solver.order < 9; ++solver.order) {
      try {
        solver.validate();
        allowed.push_back(solver.order);
      } catch (const std::invalid_argument&) {
      }
    }
    return allowed;
  };
  CHECK(orders(Dpmpp{}) == std::vector{1, 2, 3});
  CHECK(orders(Ipndm{}) == std::vector{1, 2, 3, 4});
  CHECK(orders(Deis{}) == std::vector{1, 2, 3, 4, 5});
  CHECK(orders(DeisUpTo<7>{}) == std::vector{1, 2, 3, 4, 5, 6, 7});
  CHECK(orders(UniPc{}) == std::vector{1, 2, 3, 4});
  CHECK(orders(SinglestepDpm{}) == std::vector{1, 2, 3});
}

TEST_CASE("Adams-Bashforth weights of iPNDM") {
  for (const auto& [q, p, t, s] : grids()) {
    const Real h = Real(s) - Real(t);
    agree(Ipndm::weights_1(t, s), std::array<Real, 2>{1, h});
    agree(Ipndm::weights_2(t, s), std::array<Real, 3>{1, h * 3 / 2, -h / 2});
    agree(Ipndm::weights_3(t, s), std::array<Real, 4>{1, h * 23 / 12, -h * 16 / 12, h * 5 / 12});
    agree(Ipndm::weights_4(t, s), std::array<Real, 5>{1, h * 55 / 24, -h * 59 / 24, h * 37 / 24, -h * 9 / 24});
  }
}

TEST_CASE("PNDM: a classical Runge-Kutta step, and fourth order on equal steps") {
  const std::vector<laws::Rows> slopes{{{0.7}}, {{-0.4}}, {{0.9}}, {{0.2}}};
  std::vector<double> at, states;
  laws::detail::ScriptedModel<double> script{slopes};
  const auto denoise = [&](double x, double sigma) {
    at.push_back(sigma);
    states.push_back(x);
    double slope = 0;
    script(x, sigma, slope);
    return x - sigma * slope;
  };
  const double t = 5, s = 2, h = s - t, x = 1.3;
  const auto result = sample(Pndm{}, denoise, Schedule({t, s}), x / t);
  CHECK(at == std::vector{t, t + h / 2, t + h / 2, s});
  CHECK(states[1] == Approx(x + h / 2 * 0.7));
  CHECK(states[2] == Approx(x - h / 2 * 0.4));
  CHECK(states[3] == Approx(x + h * 0.9));
  CHECK(result.x == Approx(x + h * (0.7 - 2 * 0.4 + 2 * 0.9 + 0.2) / 6));
  const laws::Grid equal{"equal", laws::detail::even,
                         [](double u) { return laws::high + u * (laws::low - laws::high); }};
  CHECK(laws::order(Pndm{}, laws::TwoPeaks{}, equal, laws::Start::shipped) == Approx(4).margin(0.25));
}

TEST_CASE("AMED-Solver weights") {
  for (const auto& [q, p, t, s] : grids())
    agree(AmedSolver<>::weights(1.01, t, s), std::array<Real, 2>{1, Real(1.01) * (Real(s) - t)});
}

TEST_CASE("DPM-Solver-2 weights with a free ratio") {
  for (const auto& [q, p, t, s] : grids())
    for (const double r : {0.2, 0.5, 0.9}) {
      const Real h = Real(s) - Real(t), w = 1 / (2 * Real(r));
      agree(DpmSolver2<>::weights(r, 1., t, s), std::array<Real, 3>{1, (1 - w) * h, w * h});
      agree(DpmSolver2<>::weights(r, 1.01, t, s), std::array<Real, 3>{1, (1 - w) * h * Real(1.01), w * h * Real(1.01)});
    }
}

// With u = log(t/sigma), from 0 to h = log(t/s): x' = (s/t) x + integral of exp(u - h) D du for denoised images, and
// x' = x - s integral of exp(h - u) d du for slopes.
TEST_CASE("DPM-Solver++ weights, orders 1 and 3") {
  for (const auto& [q, p, t, s] : grids()) {
    const Real h = log(Real(t) / s), at_p = log(Real(t) / p), at_q = log(Real(t) / q);
    const auto [d] = integrals<1>({0}, h, 1);
    const auto [e] = integrals<1>({0}, h, -1);
    agree(Dpmpp::denoised_weights_1(t, s), std::array<Real, 2>{Real(s) / t, d});
    agree(Dpmpp::slope_weights_1(t, s), std::array<Real, 2>{1, -s * e});
    const auto [d0, d1, d2] = integrals<3>({0, at_p, at_q}, h, 1);
    const auto [e0, e1, e2] = integrals<3>({0, at_p, at_q}, h, -1);
    agree(Dpmpp::denoised_weights_3(q, p, t, s), std::array<Real, 4>{Real(s) / t, d0, d1, d2});
    agree(Dpmpp::slope_weights_3(q, p, t, s), std::array<Real, 4>{1, -s * e0, -s * e1, -s * e2});
  }
}

TEST_CASE("DPM-Solver++ weights, order 2: p1/2, as published, not the exact integral") {
  for (const auto& [q, p, t, s] : grids()) {
    const Real data = 1 - Real(s) / t, noise = Real(s) - t, k = log(Real(t) / s) / log(Real(p) / t) / 2;
    agree(Dpmpp::denoised_weights_2(p, t, s), std::array<Real, 3>{Real(s) / t, data * (1 + k), -data * k});
    agree(Dpmpp::slope_weights_2(p, t, s), std::array<Real, 3>{1, noise * (1 + k), -noise * k});
  }
}

TEST_CASE("DEIS weights: polynomials in sigma and in log(sigma)") {
  for (const Levels& g : grids()) {
    const double q = g.q, p = g.p, t = g.t, s = g.s;
    const double o = q * (p / t);
    // The integrals over sigma of the Lagrange polynomials in sigma.
    const auto in_sigma = [&]<std::size_t N>(const std::array<double, N>& levels) {
      std::array<Real, N> node, result;
      for (std::size_t j = 0; j < N; ++j) node[j] = levels[j];
      for (std::size_t j = 0; j < N; ++j) {
        const std::array<Real, N> c = lagrange_coefficients(node, j);
        result[j] = 0;
        for (std::size_t k = 0; k < N; ++k) {
          const int power = static_cast<int>(k) + 1;
          result[j] += c[k] * (pow(Real(s), power) - pow(node[0], power)) / power;
        }
      }
      return result;
    };
    const Deis adams{.order = 4, .variable = Variable::sigma};
    agree(adams.weights(s, std::array{t}), in_sigma(std::array{t}));
    agree(adams.weights(s, std::array{t, p}), in_sigma(std::array{t, p}));
    agree(adams.weights(s, std::array{t, p, q}), in_sigma(std::array{t, p, q}));
    agree(adams.weights(s, std::array{t, p, q, o}), in_sigma(std::array{t, p, q, o}));
    const std::array seven{t, p, q, o, o * (p / t), o * (q / t), o * (q / t) * (q / p)};
    agree(DeisUpTo<7>{.order = 7, .variable = Variable::sigma}.weights(s, seven), in_sigma(seven));

    const Real h = log(Real(t) / s), at_p = log(Real(t) / p), at_q = log(Real(t) / q), at_o = log(Real(t) / o);
    const auto images = integrals<4>({0, at_p, at_q, at_o}, h, 1);
    auto slopes = integrals<4>({0, at_p, at_q, at_o}, h, -1);
    for (Real& w : slopes) w *= -s;
    agree(Deis{.order = 4, .variable = Variable::log_sigma, .target = Target::denoised}.weights(s,
                                                                                                std::array{t, p, q, o}),
          images);
    agree(Deis{.order = 4, .variable = Variable::log_sigma}.weights(s, std::array{t, p, q, o}), slopes);
  }
}

TEST_CASE("DEIS weights: polynomials in time, against 30 Gauss nodes in 50 digits") {
  using Rule = boost::math::quadrature::gauss<Real, 30>;
  // log(1 + sigma^2) = beta_d u^2/2 + beta_min u, with sigma = 80 at u = 1 and sigma = 0.002 at u = 1/1000
  const Real low = log(1 + Real(0.002) * Real(0.002)), high = log(1 + Real(80) * 80), e = Real(1) / 1000;
  const Real beta_d = 2 * (low / e - high) / (e - 1), beta_min = high - beta_d / 2;
  const auto time = [&](const Real& sigma) -> Real {
    return (sqrt(beta_min * beta_min + 2 * beta_d * log(1 + sigma * sigma)) - beta_min) / beta_d;
  };
  int count = 0;
  for (const Levels& g : grids()) {
    const double q = g.q, p = g.p, t = g.t, s = g.s;
    if (++count % 20 != 0 || q > 100) continue;
    const std::array<Real, 3> node{time(t), time(p), time(q)};
    std::array<Real, 3> want;
    for (std::size_t j = 0; j < 3; ++j)
      want[j] = -Rule::integrate(
          [&](Real y) -> Real {
            const Real sigma = exp(y);
            Real value = sigma;
            for (std::size_t i = 0; i < 3; ++i)
              if (i != j) value *= (time(sigma) - node[i]) / (node[j] - node[i]);
            return value;
          },
          log(Real(s)), log(Real(t)));
    agree(Deis{}.weights(s, std::array{t, p, q}), want);
  }
}

TEST_CASE("UniPC weights: exact integrals, or B/2 for a single difference of outputs") {
  for (const Levels& g : grids()) {
    const double q = g.q, p = g.p, t = g.t, s = g.s;
    const Real h = log(Real(t) / s), at_p = log(Real(t) / p), at_q = log(Real(t) / q);
    for (const UniB variant : {UniB::bh1, UniB::bh2}) {
      const UniPc data{.variant = variant}, noise{.variant = variant, .target = Target::slope};
      const auto check = [&]<std::size_t N>(const std::array<double, N - 1>& other, const std::array<Real, N>& place) {
        auto d = integrals<N>(place, h, 1), e = integrals<N>(place, h, -1);
        for (Real& w : e) w *= -s;
        if constexpr (N == 2) {
          const Real half = (variant == UniB::bh1 ? h : Real(1 - exp(-h))) / 2 / (place[1] / h);
          d = {1 - Real(s) / t - half, half};
          const Real other_half = -s * (variant == UniB::bh1 ? h : Real(exp(h) - 1)) / 2 / (place[1] / h);
          e = {Real(s) - t - other_half, other_half};
        }
        agree(data.weights(t, s, other), d);
        agree(noise.weights(t, s, other), e);
      };
      check.template operator()<1>({}, {0});
      check.template operator()<2>({p}, {0, at_p});
      check.template operator()<2>({s}, {0, h});
      check.template operator()<3>({p, q}, {0, at_p, at_q});
      check.template operator()<3>({s, p}, {0, h, at_p});
      check.template operator()<4>({s, p, q}, {0, h, at_p, at_q});
    }
  }
}

TEST_CASE("single-step DPM-Solver weights") {
  for (const Levels& g : grids())
    for (const double r : {1. / 3, 0.5, 1.}) {
      const double t = g.t, s = g.s;
      const Real h = r * log(Real(t) / s), m = Real(t) * exp(-h);
      const Real image = 1 - exp(-h), slope = m - t;
      const auto second = [&](const Real& z) -> Real { return (exp(z) - 1 - z) / (z * z); };  // phi_2
      const Real image_2 = h * second(-h), slope_2 = -m * h * second(h);
      const SinglestepDpm data{.target = Target::denoised}, noise{.target = Target::slope};
      agree(data.weights(r, 1.5, true)(t, s), std::array<Real, 3>{m / t, image - 1.5 * image_2, 1.5 * image_2});
      agree(noise.weights(r, 1.5, true)(t, s), std::array<Real, 3>{1, slope - 1.5 * slope_2, 1.5 * slope_2});
      agree(data.weights(r, 2, false)(t, s), std::array<Real, 3>{m / t, 0, image});
      agree(noise.weights(r, 1, false)(t, s), std::array<Real, 3>{1, slope / 2, slope / 2});
    }
}

TEST_CASE("single-step DPM-Solver of order 3 is exact for outputs that are linear in log(sigma)") {
  const Schedule schedule({7, 2, 0.3});
  const auto image = [](double, double sigma) { return std::log(sigma); };
  const auto slope = [](double x, double sigma) { return x - sigma * std::log(sigma); };
  const auto whole = [](double t) { return (std::log(t) + 1) / t; };  // the integral of -log(sigma)/sigma^2
  for (const auto& [r1, r2] : {std::pair{1. / 3, 2. / 3}, std::pair{0.2, 0.9}}) {
    const SinglestepDpm data{.order = 3, .target = Target::denoised, .r1 = r1, .r2 = r2},
        noise{.order = 3, .target = Target::slope, .r1 = r1, .r2 = r2};
    CHECK(std::abs(sample(data, image, schedule, 1.).x - 0.3 * (1 + whole(0.3) - whole(7))) < 1e-12);
    CHECK(std::abs(sample(noise, slope, schedule, 1.).x - (7 + 0.3 * (std::log(0.3) - 1) - 7 * (std::log(7.) - 1))) <
          1e-12);
  }
}

TEST_CASE("phi functions of small and large arguments, against their series") {
  const auto series = [](int k, const Real& z) {
    Real term = 1, sum = 0;
    for (int i = 1; i <= k; ++i) term /= i;
    for (int j = 0; j < 150; ++j) {
      sum += term;
      term *= z / (j + 1 + k);
    }
    return sum;
  };
  for (const double z :
       {-30., -8., -1.5, -1., -0.999, -0.3, -1e-3, -1e-9, 1e-12, 1e-5, 0.1, 0.9999, 1., 1.0001, 3., 8.}) {
    INFO("z = " << z);
    CHECK(abs(detail::phi<1>(z) - series(1, z)) <= 1e-15 * series(1, z));
    CHECK(abs(detail::phi<2>(z) - series(2, z)) <= 2e-15 * series(2, z));
    CHECK(abs(detail::phi<3>(z) - series(3, z)) <= 4e-15 * series(3, z));
  }
}

TEST_CASE("karras, time_uniform and log_uniform follow their formulas") {
  const double low = 0.02, high = 50;
  const auto agree_with = [](const Schedule& schedule, auto at) {
    const auto steps = static_cast<int>(schedule.steps());
    for (int i = 0; i <= steps; ++i) {
      INFO("level " << i);
      const Real want = at(Real(i) / steps);
      CHECK(abs(schedule[static_cast<std::size_t>(i)] - want) <= 1e-13 * want);
    }
  };
  for (const double rho : {1., 3., 7.}) {
    agree_with(karras({.steps = 5, .rho = rho, .sigma_min = low, .sigma_max = high}), [&](const Real& u) -> Real {
      const Real a = pow(Real(high), 1 / Real(rho)), b = pow(Real(low), 1 / Real(rho));
      return pow(a + u * (b - a), rho);
    });
    const double epsilon = 1e-2;
    agree_with(time_uniform({.steps = 5, .rho = rho, .sigma_min = low, .sigma_max = high, .epsilon = epsilon}),
               [&](const Real& u) -> Real {
                 // log(1 + sigma^2) = beta_d t^2/2 + beta_min t, given at t = 1 and t = epsilon
                 const Real at_1 = log(1 + Real(high) * high), at_e = log(1 + Real(low) * low), e = epsilon;
                 const Real beta_d = 2 * (at_1 - at_e / e) / (1 - e), beta_min = at_1 - beta_d / 2;
                 const Real t = pow(1 + u * (pow(e, 1 / Real(rho)) - 1), rho);
                 return sqrt(exp(beta_d * t * t / 2 + beta_min * t) - 1);
               });
  }
  agree_with(log_uniform({.steps = 5, .sigma_min = low, .sigma_max = high}),
             [&](const Real& u) -> Real { return high * pow(Real(low) / high, u); });
}

TEST_CASE("noise tables follow their betas") {
  const int count = 12;
  const Real pi = acos(Real(-1));
  const auto angle = [&](int i) -> Real { return (Real(i) / count + Real(0.008)) / (1 + Real(0.008)) * pi / 2; };
  const auto linear = [&](int i, const Real& a, const Real& b) -> Real { return a + (b - a) * i / (count - 1); };
  const auto check = [&](const NoiseTable& table, auto beta) {
    std::vector<Real> log_alpha{log(1 - beta(0)) / 2};
    for (int i = 1; i < count; ++i) log_alpha.push_back(log_alpha.back() + log(1 - beta(i)) / 2);
    CHECK(table.size() == count);
    // log alpha is linear between the training times (i + 1)/count; its outermost pieces continue beyond them.
    for (const double t : {0.08, 1. / count, 0.1, 0.37, 0.5, 0.91, 1., 1.02}) {
      INFO("t = " << t);
      const Real place = Real(t) * count - 1;
      const int piece = place < 0 ? 0 : place >= count - 2 ? count - 2 : static_cast<int>(place);
      const auto i = static_cast<std::size_t>(piece);
      const Real l = log_alpha[i] + (place - piece) * (log_alpha[i + 1] - log_alpha[i]), sigma = sqrt(exp(-2 * l) - 1);
      CHECK(abs(table.sigma(t) - sigma) <= 1e-12 * sigma);
      CHECK(std::abs(table.time(table.sigma(t)) - t) <= 1e-12);
    }
    CHECK(table.sigma_max() == table.sigma(1));
    CHECK(table.sigma_min() == table.sigma(1. / count));
    const Schedule schedule =
        discrete(table, {.steps = 4, .rho = 2, .sigma_min = table.sigma_min(), .sigma_max = table.sigma_max()});
    for (int i = 1; i < 4; ++i) {
      const double first = 1, last = std::sqrt(1. / count), t = first + i / 4. * (last - first);
      CHECK(schedule[static_cast<std::size_t>(i)] == Approx(table.sigma(t * t)).epsilon(1e-12));
    }
  };
  check(NoiseTable::linear(0.02, 0.3, count), [&](int i) { return linear(i, 0.02, 0.3); });
  check(NoiseTable::scaled_linear(0.01, 0.25, count),
        [&](int i) -> Real { return pow(linear(i, Real(0.1), Real(0.5)), 2); });
  check(NoiseTable::cosine(count, 0.008, 0.9), [&](int i) -> Real {
    const Real b = 1 - pow(cos(angle(i + 1)) / cos(angle(i)), 2);
    return b < Real(0.9) ? b : Real(0.9);
  });
  const Discrete whole{NoiseTable::linear(0.02, 0.3, count)}, rounded{whole.table, true};
  for (const double t : {0.3, 0.77}) {
    CHECK(whole.label(whole.sigma(t)) == Approx(t * count - 1).epsilon(1e-12));
    CHECK(rounded.label(whole.sigma(t)) == std::round(t * count - 1));
  }
  CHECK(whole.label(1e-6) == 0);
  CHECK(whole.label(1e6) == count - 1);
}

TEST_CASE("carry is the factor of x in a step") {
  CHECK(carry(Target::denoised, 4., 1.) == 0.25);
  CHECK(carry(Target::slope, 4., 1.) == 1);
}
