// The core, apart from the laws (laws_test.cpp) and properties (property_test.cpp) of solvers.
#include "support/catch.hpp"
#include "support/types.hpp"

#include <fewstep/denoisers/edm.hpp>
#include <fewstep/eigen/laws.hpp>
#include <fewstep/laws/solver.hpp>
#include <fewstep/scalar.hpp>
#include <fewstep/schedules.hpp>

#include <Eigen/LU>

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

using namespace fewstep;
using test::Array;
using test::message_of;

namespace {

struct PerSample {
  static constexpr bool per_sample = true;
  void operator()(const Step<Array>&, const Eigen::ArrayXXd*, Prediction<Array>& out) const {
    out.ratio.each(2) << 0.3, 0.6;
    out.sigma_scale.each(2) << 1, 0.9;
    out.direction_scale.each(2) << 1, 1.02;
  }
};

struct One {
  void operator()(const Step<Array>&, const Eigen::ArrayXXd*, Prediction<Array>& out) const {
    out = {Level<Array>(ratio), Level<Array>(direction), Level<Array>(sigma_scale)};
  }
  double ratio, direction, sigma_scale;
};

bool equal(const Array& a, const Array& b) { return a.rows() == b.rows() && a.cols() == b.cols() && (a == b).all(); }

}  // namespace

TEST_CASE("all forms of a denoiser give the same samples") {
  const Schedule s = karras({.steps = 4});
  const Array x0 = noise({1}, 3) * 80;
  const auto shrink = [](double sigma) { return 0.25 / (0.25 + sigma * sigma); };
  const Array want = integrate(Heun{}, [&](const Array& x, double t) -> Array { return shrink(t) * x; }, s, x0).x;
  CHECK(equal(integrate(
                  Heun{}, [&](const Array& x, const Level<Array>& t) -> Array { return shrink(t[0]) * x; }, s, x0)
                  .x,
              want));
  CHECK(equal(integrate(
                  Heun{}, [&](const Array& x, const Level<Array>& t, Array& out) { out = shrink(t[0]) * x; }, s, x0)
                  .x,
              want));
  CHECK(equal(integrate(Heun{}, [&](const Array& x, double t, Array& out) { out = shrink(t) * x; }, s, x0).x, want));
  struct Both {
    Array denoised, feature;
  };
  int seen = 0;
  const auto with_features = [&](const Array& x, const Level<Array>& t) {
    return Both{shrink(t[0]) * x, Array::Constant(2, 1, ++seen)};
  };
  CHECK(equal(integrate(Heun{}, with_features, s, x0).x, want));
  CHECK(seen == 8);
  Model<Array, decltype(with_features)> model(with_features, Target::slope);
  Array out = x0;
  CHECK(model.features() == nullptr);
  model(x0, Level<Array>(1.), out);
  CHECK((*model.features() == 9).all());
  model.analytic(x0, Level<Array>(1.), out);
  CHECK(model.features() == nullptr);
}

TEST_CASE("a per-sample predictor gives the samples of single runs with each sample's ratio") {
  const MixtureDenoiser denoise(test::mixture());
  const Schedule s = karras({.steps = 5});
  const auto both = sample(DpmSolver2{PerSample{}}, denoise, s, noise({1, 2}, 4));
  CHECK(equal(both.x.col(0), sample(DpmSolver2{FixedRatio{0.3}}, denoise, s, noise({1}, 4)).x));
  CHECK(equal(both.x.col(1), sample(DpmSolver2{One{0.6, 1.02, 0.9}}, denoise, s, noise({2}, 4)).x));
  const auto shared_only = [](const Array& x, double) -> Array { return x; };
  static_assert(Denoiser<decltype(shared_only), Array> && !PerSampleDenoiser<decltype(shared_only), Array>);
}

TEST_CASE("TablePredictor applies its rows in order; predictors that do not fit are rejected") {
  const MixtureDenoiser denoise(test::mixture());
  const Schedule s = karras({.steps = 2});
  const Array z = noise({1, 2}, 4);
  const TablePredictor table{{{0.3, 1.02, 0.9}, {0.6, 1, 1}}};
  const auto got = sample(AmedSolver{table}, denoise, s, z);
  const Array mid = sample(AmedSolver{One{0.3, 1.02, 0.9}}, denoise, s, z, {.last_step = 1}).x;
  CHECK(equal(got.x, integrate(AmedSolver{FixedRatio{0.6}}, denoise, s, mid, {.first_step = 1}).x));

  using Catch::Contains;
  CHECK_THAT(message_of([&] { sample(AmedSolver{table}, denoise, karras({.steps = 3}), z); }),
             Contains("the number of steps is 3; allowed: 2"));
  CHECK_THAT(message_of([&] { sample(Amed{Euler{}, TablePredictor{{{1.2}}}}, denoise, karras({.steps = 1}), z); }),
             Contains("TablePredictor::rows[0].ratio is 1.2; allowed: numbers between 0 and 1"));
  AmedNetwork network{{std::vector<double>(6), std::vector<double>(2)},
                      {{0, 0}, {0}},
                      {{0, 0}, {0}},
                      {1},
                      AmedNetwork::Layer{{0, 0, 0}, {0}},
                      {},
                      {}};
  const auto given = [](const Array& x, const Level<Array>&) { return std::pair<Array, Array>(x, x); };
  CHECK_THAT(message_of([&] { sample(AmedSolver{AmedPredictor(network)}, given, s, z); }),
             Contains("number of features is 4; allowed: 3"));
  const Level<Array> t(2.), s_of_step(1.);
  Prediction<Array> out;
  network.ratio->bias = {-50};
  AmedPredictor{network}(Step<Array>{t, s_of_step, 0, 1}, static_cast<const Features<Array>*>(nullptr), out);
  CHECK(out.ratio[0] == 1e-4);  // clamped
  CHECK(AmedNetwork::Layer{}.inputs() == 0);
  network.ratio->weight.pop_back();
  CHECK_THAT(message_of([&] { AmedPredictor{network}; }), Contains("fc_r's weights is 2; allowed: 1 x 3"));
  network.ratio.reset();
  network.sigma_scale_range = 0.2;
  CHECK_THAT(message_of([&] { AmedPredictor{network}; }),
             Contains("sigma_scale_range is 0.2; allowed: 0 without its head"));
}

TEST_CASE("observers see every step once and can cancel") {
  const Schedule s = karras({.steps = 5});
  const Array x0 = noise({1}, 3) * 80;
  std::vector<std::size_t> seen;
  const auto stopped = integrate(Heun{}, test::Constant{}, s, x0, {}, [&](const Snapshot<Array>& shot) {
    seen.push_back(shot.index);
    CHECK(shot.from == s[shot.index]);
    CHECK(shot.to == s[shot.index + 1]);
    CHECK(shot.evaluations == 2 * static_cast<int>(shot.index + 1));
    return shot.index < 2;
  });
  CHECK(seen == std::vector<std::size_t>{0, 1, 2});
  CHECK(stopped.status == Status::cancelled);
  CHECK(stopped.steps == 3);
  Trajectory<Array> trajectory;
  int calls = 0;
  integrate(Euler{}, test::Constant{}, s, x0, {}, tee(std::ref(trajectory), [&](const auto&) { ++calls; }));
  CHECK(trajectory.states.size() == 5);
  CHECK(calls == 5);
}

TEST_CASE("stopping between evaluations returns the last completed step") {
  const MixtureDenoiser denoise(test::mixture());
  const Schedule s = karras({.steps = 5});
  const Array x0 = noise({1}, 4) * 80;
  for (const auto& [label, solver] : test::configurations<Array>()) {
    for (int allowed = 0; allowed < evaluations(solver, s); ++allowed) {
      INFO(label << ", stopped after " << allowed);
      int asked = 0;
      const auto r = integrate(solver, denoise, s, x0, {.stop = [&] { return asked++ == allowed; }});
      CHECK(r.status == Status::cancelled);
      CHECK(r.evaluations == allowed);
      std::size_t complete = 0;
      while (evaluations(solver, s, {.last_step = complete + 1}) <= allowed) ++complete;
      REQUIRE(r.steps == complete);
      CHECK(equal(r.x, r.steps == 0 ? x0 : integrate(solver, denoise, s, x0, {.last_step = r.steps}).x));
    }
  }
}

TEST_CASE("exceptions of the denoiser pass through, and the solver can be used again") {
  int calls = 0;
  const auto failing = [&](const Array& x, double) -> Array {
    if (++calls == 3) throw std::domain_error("network on fire");
    return x;
  };
  const Schedule s = karras({.steps = 4});
  CHECK_THROWS_AS(sample(Ipndm{}, failing, s, noise({1}, 3)), std::domain_error);
  CHECK(sample(Ipndm{}, failing, s, noise({1}, 3)).status == Status::complete);
}

TEST_CASE("non-finite samples are detected, with the step if every step is checked") {
  int calls = 0;
  const auto broken = [&](const Array& x, double) -> Array {
    return ++calls == 3 ? Array::Constant(x.rows(), x.cols(), std::numeric_limits<double>::quiet_NaN()) : x;
  };
  const Schedule s = karras({.steps = 5});
  const Array z = noise({1}, 3);
  const auto named = sample(Euler{}, broken, s, z, {.check = Check::every_step});
  CHECK(named.status == Status::non_finite);
  CHECK(named.steps == 2);
  calls = 0;
  CHECK(sample(Euler{}, broken, s, z).status == Status::non_finite);
  calls = 0;
  CHECK(sample(Euler{}, broken, s, z, {.check = Check::off}).status == Status::complete);
}

TEST_CASE("thresholding applies to denoised images of steps, not to slopes or the final denoise") {
  const auto large = [](const Array& x, double) -> Array { return Array::Constant(x.rows(), x.cols(), 7); };
  const Schedule s = karras({.steps = 3});
  const Options on{.thresholding = Thresholding{}};
  const auto data = sample(Dpmpp{}, large, s, noise({1}, 6), on);
  CHECK((data.x - 1).abs().maxCoeff() < 0.01);
  const auto slope = sample(Euler{}, large, s, noise({1}, 6), on);
  CHECK((slope.x - 7).abs().maxCoeff() < 0.01);
  const auto last = sample(Dpmpp{}, large, s, noise({1}, 6), {.final_denoise = true, .thresholding = Thresholding{}});
  CHECK((last.x == 7).all());
}

TEST_CASE("fixed-size and float states keep their type") {
  using Small = Eigen::Array<float, 3, 1>;
  const Small x0(70.f, -3.f, 9.f);
  const auto r = integrate(Dpmpp{.order = 3}, test::Constant{0.5}, karras({.steps = 6}), x0);
  static_assert(std::is_same_v<decltype(r.x), Small>);
  CHECK((r.x - 0.5f).abs().maxCoeff() < 0.01f);
}

TEST_CASE("errors name the argument, its value and what is allowed") {
  const Array z = noise({1}, 3);
  const Schedule s = karras({.steps = 3});
  using Catch::Contains;
  CHECK_THAT(message_of([] { karras({.steps = 0}); }), Contains("steps is 0; allowed: 1 to 1000000"));
  CHECK_THAT(message_of([] { karras({.steps = 3, .sigma_min = 90}); }), Contains("sigma_min is 90"));
  CHECK_THAT(message_of([] { Schedule({3, 2, 2}); }), Contains("noise level 2 is 2; allowed: less than"));
  CHECK_THAT(message_of([] { Schedule({2, 2}); }), Contains("noise level 1 is 2; allowed: greater than"));
  CHECK_THAT(message_of([] { Schedule({3, 0, -1}); }), Contains("noise level 1 is 0"));
  CHECK_THAT(message_of([] { Schedule({0, 1}); }), Contains("noise level 0 is 0"));
  CHECK_THAT(message_of([&] { sample(Ipndm{.order = 5}, test::Constant{}, s, z); }),
             Contains("Ipndm::order is 5; allowed: 1 to 4"));
  CHECK_THAT(message_of([&] { sample(Dpmpp{.order = 0}, test::Constant{}, s, z); }), Contains("Dpmpp::order is 0"));
  CHECK_THAT(message_of([&] { sample(DpmSolver2{FixedRatio{1.5}}, test::Constant{}, s, z); }),
             Contains("ratio is 1.5"));
  CHECK_THAT(message_of([&] { sample(Euler{}, test::Constant{}, s, Array(0, 0)); }), Contains("size is 0"));
  CHECK_THAT(message_of([&] { sample(Euler{}, test::Constant{}, s, z, {.first_step = 3}); }),
             Contains("first_step is 3"));
  CHECK_THAT(message_of([&] {
               sample(Euler{}, test::Constant{}, karras({.steps = 3, .end = End::zero}), z, {.final_denoise = true});
             }),
             Contains("final_denoise is true; allowed: false for a schedule that ends at 0"));
  CHECK_THAT(
      message_of([&] { integrate(Euler{}, test::Constant{}, Schedule({1, 2}), z, {.analytic_first_step = true}); }),
      Contains("analytic_first_step is true"));
  CHECK_THAT(message_of([] { make_solver<Array>("ipmdn"); }),
             Contains("solver is ipmdn") && Contains("did you mean ipndm?"));
  CHECK_THAT(message_of([] { make_solver<Array>("heun", {.order = 2}); }), Contains("order"));
  CHECK_THAT(message_of([] { make_schedule("karas", {}); }), Contains("did you mean karras?"));
}

TEST_CASE("defaults are those of the papers") {
  CHECK(Amed{Heun{}, FixedRatio{}}.evaluations() == 4);
  CHECK(karras({.steps = 4}).levels() == karras({.steps = 4, .rho = 7, .sigma_min = 0.002, .sigma_max = 80}).levels());
  CHECK(log_uniform({.steps = 4}).levels() == log_uniform({.steps = 4, .sigma_min = 0.002, .sigma_max = 80}).levels());
  CHECK(time_uniform({.steps = 4}).levels() ==
        time_uniform({.steps = 4, .rho = 1, .sigma_min = 0.002, .sigma_max = 80, .epsilon = 1e-3}).levels());
  const NoiseTable table = NoiseTable::linear(1e-4, 0.02, 1000);
  CHECK(discrete(table, {.steps = 4}).levels() ==
        discrete(table, {.steps = 4, .rho = 1, .sigma_min = 0.002, .sigma_max = 80}).levels());
  CHECK(NoiseTable::cosine(50).sigma(0.3) == NoiseTable::cosine(50, 0.008, 0.999).sigma(0.3));
  const Prediction<double> nothing;
  CHECK(std::array{nothing.ratio, nothing.direction_scale, nothing.sigma_scale} == std::array{0.5, 1., 1.});
  const TablePredictor::Row row;
  CHECK(std::array{row.ratio, row.direction_scale, row.sigma_scale} == std::array{0.5, 1., 1.});
  CHECK(FixedRatio{}.ratio == 0.5);
  CHECK(Dpmpp{}.order == 2);
  CHECK(Ipndm{}.order == 4);
  CHECK(std::array{Thresholding{}.quantile, Thresholding{}.floor} == std::array{0.995, 1.});
}

TEST_CASE("noise: published Philox vectors, one seed per sample, unit variance") {
  CHECK(philox({0, 0, 0, 0}, {0, 0}) ==
        std::array<std::uint32_t, 4>{0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u});
  CHECK(philox({0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu}, {0xffffffffu, 0xffffffffu}) ==
        std::array<std::uint32_t, 4>{0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu});
  const Array both = noise({3, 4}, 5);
  CHECK(equal(both.col(1), noise({4}, 5)));
  const Array many = noise({11}, 100'000);
  CHECK(std::abs(many.mean()) < 0.02);
  CHECK(std::abs(many.square().mean() - 1) < 0.02);
}

TEST_CASE("MixtureDenoiser: diagonal covariances equal deviations, and a Gaussian has its closed form") {
  const GaussianMixture plain = test::mixture();
  CorrelatedMixture full{plain.weights, plain.means, {}};
  for (const double d : plain.deviations) {
    std::vector<double> c(16, 0.);
    for (std::size_t i = 0; i < 4; ++i) c[5 * i] = d * d;
    full.covariances.push_back(c);
  }
  const Array x = noise({1, 2, 3}, 4);
  for (const double sigma : {0.01, 0.5, 20.}) {
    Array a(4, 3), b(4, 3);
    MixtureDenoiser{plain}(x, Level<Array>(sigma), a);
    MixtureDenoiser{full}(x, Level<Array>(sigma), b);
    CHECK((a - b).abs().maxCoeff() < 1e-12);
  }
  // Correlated: D = mu + C (C + sigma^2 I)^-1 (x - mu)
  const MixtureDenoiser gaussian(
      CorrelatedMixture{.weights = {1}, .means = {{1, -1}}, .covariances = {{2, 0.6, 0.6, 1}}});
  Eigen::Matrix2d c;
  c << 2, 0.6, 0.6, 1;
  const Eigen::Vector2d mu(1, -1), y(0.3, 0.8);
  Array out(2, 1);
  gaussian(Array(y.array()), Level<Array>(0.7), out);
  const Eigen::Vector2d want = mu + c * (c + 0.49 * Eigen::Matrix2d::Identity()).inverse() * (y - mu);
  CHECK((out.matrix() - want).norm() < 1e-12);
  CHECK_THROWS_AS(MixtureDenoiser(CorrelatedMixture{{1}, {{0, 0}}, {{1, 2, 2, 1}}}), std::invalid_argument);
}

TEST_CASE("edm_preconditioned: networks with known outputs give the denoisers of the formula") {
  // D = x sd^2/(sd^2 + sigma^2) is c_skip x, so F = 0; and F = input gives c_skip x + c_out c_in x.
  const Array x = noise({1, 2}, 3);
  const auto run = [&](auto network) {
    Array out(3, 2);
    edm_preconditioned(network, 0.5)(x, Level<Array>(2.), out);
    return out;
  };
  CHECK(
      (run([](const Array& in, const Level<Array>&, Array& out) { out = 0 * in; }) - x * 0.25 / 4.25).abs().maxCoeff() <
      1e-15);
  const Array identity = run([](const Array& in, const Level<Array>& label, Array& out) {
    CHECK(label.value() == Approx(std::log(2.) / 4));
    out = in;
  });
  CHECK((identity - x * (0.25 + 2 * 0.5) / 4.25).abs().maxCoeff() < 1e-15);
  CHECK_THROWS_AS(edm_preconditioned([](const Array&, const Level<Array>&, Array&) {}, 0.), std::invalid_argument);
}
