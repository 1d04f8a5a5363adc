// All parametrisations of a network give the same denoiser, and adaptors forward what they do not change.
#include "support/catch.hpp"
#include "support/types.hpp"
#include "support/worst.hpp"

#include <fewstep/denoisers.hpp>
#include <fewstep/scalar.hpp>

#include <cmath>
#include <functional>
#include <limits>
#include <numbers>
#include <sstream>
#include <utility>

using namespace fewstep;
using Catch::Contains;
using test::Array;
using test::message_of;

namespace {

using Sigma = Level<Array>;
using Any = std::function<void(const Array&, const Sigma&, Array&)>;  // one type, so that solvers compile once

double largest(const Array& x) { return x.abs().maxCoeff(); }

/// The exact predictions of a network for its input z = alpha x0 + spread noise, with x0 from a mixture: the posterior
/// means of x0 and noise. Computed without the library's levels, to reveal a wrong sign or factor there.
struct Posterior {
  Array clean, noise;
};
Posterior posterior(const GaussianMixture& m, const Array& z, double alpha, double spread) {
  const auto d = z.rows();
  Array logits(static_cast<Eigen::Index>(m.weights.size()), 1);
  const auto mean = [&](std::size_t k) { return Array(Eigen::Map<const Eigen::ArrayXd>(m.means[k].data(), d)); };
  const auto variance = [&](std::size_t k) { return std::pow(alpha * m.deviations[k], 2) + spread * spread; };
  for (std::size_t k = 0; k < m.weights.size(); ++k)
    logits(static_cast<Eigen::Index>(k)) = std::log(m.weights[k]) -
                                           0.5 * static_cast<double>(d) * std::log(variance(k)) -
                                           (z - alpha * mean(k)).square().sum() / (2 * variance(k));
  const Array g = (logits - logits.maxCoeff()).exp();
  Posterior p{Array::Zero(d, 1), Array::Zero(d, 1)};
  for (std::size_t k = 0; k < m.weights.size(); ++k) {
    const double share = g(static_cast<Eigen::Index>(k)) / g.sum();
    const Array offset = (z - alpha * mean(k)) / variance(k);
    p.clean += share * (mean(k) + alpha * m.deviations[k] * m.deviations[k] * offset);
    p.noise += share * spread * offset;
  }
  return p;
}

/// alpha and spread of a noised input z = alpha x0 + spread noise at a training time, by the formulas of the papers.
struct Noised {
  double alpha, spread;
};
Noised linear(double t) {
  const double log_alpha = -0.25 * 19.9 * t * t - 0.5 * 0.1 * t;
  return {std::exp(log_alpha), std::sqrt(-std::expm1(2 * log_alpha))};
}
Noised cosine(double t) {
  const double first = 0.008 / 1.008 * std::numbers::pi / 2, angle = (t + 0.008) / 1.008 * std::numbers::pi / 2;
  return {std::cos(angle) / std::cos(first),
          std::sqrt(std::sin(angle - first) * std::sin(angle + first)) / std::cos(first)};
}
Noised table(const std::vector<double>& betas, double label) {  // log alpha is linear between training steps
  const auto log_alpha = [&](std::size_t i) {
    double sum = 0;
    for (std::size_t j = 0; j <= i; ++j) sum += 0.5 * std::log1p(-betas[j]);
    return sum;
  };
  const auto below = static_cast<std::size_t>(label), i = (std::min)(below, betas.size() - 2);
  const double l = log_alpha(i) + (label - static_cast<double>(i)) * (log_alpha(i + 1) - log_alpha(i));
  return {std::exp(l), std::sqrt(-std::expm1(2 * l))};
}
Noised flow(double t) { return {1 - t, t}; }

/// An exact network(z, label). at(label) is its Noised, predict(posterior, noised) its output, per sample.
template <class At, class Predict>
auto network(GaussianMixture data, At at, Predict predict) {
  return [=](const Array& z, const Sigma& label, Array& out) {
    for (Eigen::Index b = 0; b < z.cols(); ++b) {
      const Noised n = at(label[b]);
      out.col(b) = predict(posterior(data, z.col(b), n.alpha, n.spread), n);
    }
  };
}

const auto noise_of = [](const Posterior& p, const Noised&) -> Array { return p.noise; };
const auto clean_of = [](const Posterior& p, const Noised&) -> Array { return p.clean; };
const auto v_of = [](const Posterior& p, const Noised& n) -> Array { return n.alpha * p.noise - n.spread * p.clean; };
const auto velocity_of = [](const Posterior& p, const Noised&) -> Array { return p.noise - p.clean; };
const auto minus_velocity_of = [](const Posterior& p, const Noised&) -> Array { return p.clean - p.noise; };

struct Variant {
  std::string name;
  Any denoise;
};

std::vector<Variant> forms(const GaussianMixture& data) {
  std::vector<double> betas;
  for (int i = 0; i < 1000; ++i) betas.push_back(1e-4 + (0.02 - 1e-4) * i / 999);
  const auto at_table = [betas](double label) { return table(betas, label); };
  const auto at_999 = [](double label) { return linear(label / 999); };
  const auto at_sigma = [](double sigma) { return Noised{1, sigma}; };
  const VpLinear vp{.label_scale = 999};
  const Discrete discrete{NoiseTable(betas)};
  const double sd = 0.5;
  const auto raw = [data, sd](const Array& in, const Sigma& label, Array& out) {  // equation 7 of EDM, solved for F
    for (Eigen::Index b = 0; b < in.cols(); ++b) {
      const double s = std::exp(4 * label[b]), total = std::hypot(s, sd);
      const Array x = in.col(b) * total;
      out.col(b) = (posterior(data, x, 1, s).clean - sd * sd / (total * total) * x) * total / (s * sd);
    }
  };
  return {{"epsilon, linear", from_epsilon(network(data, at_999, noise_of), vp)},
          {"x0, linear", from_x0(network(data, at_999, clean_of), vp)},
          {"v, linear", from_v(network(data, at_999, v_of), vp)},
          {"epsilon, cosine", from_epsilon(network(data, cosine, noise_of), VpCosine{})},
          {"v, cosine", from_v(network(data, cosine, v_of), VpCosine{})},
          {"epsilon, table", from_epsilon(network(data, at_table, noise_of), discrete)},
          {"v, table", from_v(network(data, at_table, v_of), discrete)},
          {"epsilon, exploding", from_epsilon(network(data, at_sigma, noise_of), Ve{})},
          {"x0, exploding", from_x0(network(data, at_sigma, clean_of), Ve{})},
          {"EDM", edm_preconditioned(raw, sd)},
          {"flow", from_flow(network(
                                 data, [](double l) { return flow(l / 1000); }, velocity_of),
                             {.label_scale = 1000})},
          {"flow, noise at 0", from_flow(network(
                                             data, [](double l) { return flow(1 - l); }, minus_velocity_of),
                                         {.noise_at = NoiseAt::zero})},
          {"x0, flow", from_x0(network(data, flow, clean_of), Flow{})}};
}

struct PerSample {
  static constexpr bool per_sample = true;
  void operator()(const Step<Array>&, const Eigen::ArrayXXd*, Prediction<Array>& out) const {
    out.ratio.each(2) << 0.3, 0.6;
    out.sigma_scale.each(2) << 1, 0.9;
  }
};

/// An output with features.
struct Output {
  Array denoised, feature;
};
auto constant(double denoised, double feature) {
  return [=](const Array& x, const Sigma&) {
    return Output{Array::Constant(x.rows(), x.cols(), denoised), Array::Constant(2, x.cols(), feature)};
  };
}

/// The first feature of a denoiser at a level, or -1 if there are none.
template <class D>
double feature(D denoise, double sigma = 1) {
  const Array x = Array::Ones(3, 2);
  Array out = Array::Zero(3, 2), features = Array::Zero(0, 0);
  return detail::denoise(denoise, x, Sigma(sigma), out, features) ? features(0, 0) : -1;
}

template <class D>
Array at(D&& denoise, const Array& x, const Sigma& sigma) {
  Array out = Array::Zero(x.rows(), x.cols()), features;
  detail::denoise(denoise, x, sigma, out, features);
  return out;
}

}  // namespace

TEST_CASE("all parametrisations of a network give the same samples") {
  const GaussianMixture gaussian{{1}, {{0.8, -0.4, 0.3, -0.9}}, {0.6}};
  const Schedule s = karras({.steps = 6, .sigma_min = 0.02});
  const Array z = noise({1, 2}, 4);
  for (const GaussianMixture& data : {gaussian, test::mixture()}) {
    const Any exact = MixtureDenoiser(data);
    for (const auto& [label, solver] : test::configurations<Array>()) {
      const Array want = sample(solver, exact, s, z).x;
      for (const Variant& form : forms(data)) {
        INFO(label << ", " << form.name);
        CHECK(largest(sample(solver, form.denoise, s, z).x - want) < 1e-12 * largest(want));
      }
    }
    const Array want = sample(DpmSolver2{PerSample{}}, exact, s, z).x;
    for (const Variant& form : forms(data)) {
      INFO("per-sample levels, " << form.name);
      CHECK(largest(sample(DpmSolver2{PerSample{}}, form.denoise, s, z).x - want) < 1e-12 * largest(want));
    }
  }
}

TEST_CASE("from_flow_native gives the trajectory of from_flow, and starts at t = 1") {
  const auto u = network(test::mixture(), flow, velocity_of);
  const std::vector<double> times{0.96, 0.8, 0.5, 0.2, 0.01};
  std::vector<double> levels;
  for (const double t : times) levels.push_back(Flow{}.sigma(t));
  const Array start = noise({1, 2}, 4);
  Trajectory<Array> exploding, native;
  integrate(Euler{}, from_flow(u), Schedule(levels), Array(start * (1 + levels[0])), {}, std::ref(exploding));
  integrate(Euler{}, from_flow_native(u), Schedule(times), start, {}, std::ref(native));
  REQUIRE(native.states.size() == 4);
  for (std::size_t i = 0; i < 4; ++i)
    CHECK(largest(exploding.states[i] / (1 + levels[i + 1]) - native.states[i]) < 1e-12);

  // The analytic first step is the same too, behind other adaptors and for solvers of either target.
  const auto two_steps = [&](const auto& solver, const auto& denoise, const Schedule& s, const Array& x) {
    return integrate(solver, clamped(denoise, -9, 9), s, x, {.analytic_first_step = true, .last_step = 2}).x;
  };
  const Array scaled = start * (1 + levels[0]);
  CHECK(largest(two_steps(Euler{}, from_flow(u), Schedule(levels), scaled) / (1 + levels[2]) -
                two_steps(Euler{}, from_flow_native(u), Schedule(times), start)) < 1e-12);
  CHECK(largest(two_steps(Dpmpp{.order = 1}, from_flow(u), Schedule(levels), scaled) / (1 + levels[2]) -
                two_steps(Dpmpp{.order = 1}, from_flow_native(u), Schedule(times), start)) < 1e-12);
  const auto analytic =
      integrate(Euler{}, from_flow_native(u), Schedule({1, 0.5}), start, {.analytic_first_step = true});
  CHECK(largest(analytic.x - 0.5 * start) < 1e-15);
  CHECK(analytic.evaluations == 0);

  // Euler is the usual flow sampler, x <- x + (t' - t) u, from pure noise to the data.
  Array x = start, slope = start;
  const Schedule whole({1, 0.75, 0.5, 0.25, 0});
  for (std::size_t i = 0; i + 1 < whole.size(); ++i) {
    u(x, Sigma(whole[i]), slope);
    x += (whole[i + 1] - whole[i]) * slope;
  }
  CHECK(largest(sample(Euler{}, from_flow_native(u), whole, start).x - x) < 1e-12);
  const auto opposite = network(test::mixture(), [](double l) { return flow(1 - l / 10); }, minus_velocity_of);
  CHECK(largest(sample(Euler{}, from_flow_native(opposite, {NoiseAt::zero, 10}), whole, start).x - x) < 1e-12);

  // For unit variance x(t) = sqrt((1 - t)^2 + t^2) x(1), and at t = 1 the denoised image is the mean.
  const auto unit_normal = from_flow_native(network({{1}, {{0, 0, 0, 0}}, {1}}, flow, velocity_of));
  CHECK(largest(at(unit_normal, start, Sigma(1.))) < 1e-15);
  std::vector<double> fine;
  for (int i = 0; i < 400; ++i) fine.push_back(1 - i / 400.);
  CHECK(largest(sample(Heun{}, unit_normal, Schedule(fine), start).x -
                start * std::hypot(1 - fine.back(), fine.back())) < 1e-5);
  CHECK_THAT(message_of([] { Schedule({Flow{}.sigma(1.), 1}); }), Contains("noise level 0 is inf"));
}

TEST_CASE("sigma() and time() of every process are inverses over their whole range") {
  const auto check = [](const char* name, const auto& process, double first_t, double last_t, double first,
                        double last) {
    INFO(name);
    double t_error = 0, error = 0;
    for (int i = 0; i <= 2000; ++i) {
      const double t = first_t * std::pow(last_t / first_t, i / 2000.), s = first * std::pow(last / first, i / 2000.);
      t_error = test::worst(t_error, std::abs(process.time(process.sigma(t)) / t - 1));
      error = test::worst(error, std::abs(process.sigma(process.time(s)) / s - 1));
    }
    CHECK(t_error < 1e-12);
    CHECK(error < 1e-12);
  };
  check("linear", VpLinear{}, 1e-12, 1, 1e-9, 150);
  check("linear, far", VpLinear{}, 1, 3, 100, 1e15);
  check("constant", VpLinear{.beta_min = 5, .beta_max = 5}, 1e-12, 1, 1e-9, 10);
  check("cosine", VpCosine{}, 1e-12, 0.9999, 1e-9, 1000);
  check("cosine without offset", VpCosine{.s = 0}, 1e-12, 0.9999, 1e-9, 1000);
  check("flow", Flow{}, 1e-12, 0.999, 1e-9, 1000);
  check("exploding", Ve{}, 1e-12, 1000, 1e-9, 1000);
  for (const auto& [name, made] :
       {std::pair{"scaled linear", NoiseTable::scaled_linear(0.00085, 0.012, 1000)},
        std::pair{"linear", NoiseTable::linear(1e-4, 0.02, 1000)}, std::pair{"cosine", NoiseTable::cosine(1000)},
        std::pair{"cosine", NoiseTable::cosine(50)}}) {
    const double n = static_cast<double>(made.size());
    check(name, Discrete{made}, 1 / n, 1, made.sigma_min(), made.sigma_max());
    CHECK(made.sigma_min() < made.sigma_max());
  }
  CHECK(VpLinear{}.sigma(1.) == Approx(std::sqrt(std::expm1(10.05))).epsilon(1e-14));
  CHECK(VpCosine{}.sigma(0.5) == Approx(std::sqrt(1 / std::pow(cosine(0.5).alpha, 2) - 1)).epsilon(1e-12));
}

TEST_CASE("noise tables: published betas, and labels in training steps") {
  // The cumulative product in double, as training code computes it.
  const auto by_hand = [](const std::function<double(int)>& beta) {
    double alpha_squared = 1;
    for (int i = 0; i < 1000; ++i) alpha_squared *= 1 - beta(i);
    return std::sqrt((1 - alpha_squared) / alpha_squared);
  };
  CHECK(NoiseTable::linear(1e-4, 0.02, 1000).sigma_max() ==
        Approx(by_hand([](int i) { return 1e-4 + 0.0199 * i / 999; })).epsilon(1e-10));
  const auto bar = [](double t) { return std::pow(std::cos((t + 0.008) / 1.008 * std::numbers::pi / 2), 2); };
  CHECK(NoiseTable::cosine(1000).sigma_max() == Approx(by_hand([&](int i) {
                                                  return (std::min)(1 - bar((i + 1) / 1000.) / bar(i / 1000.), 0.999);
                                                })).epsilon(1e-7));
  const NoiseTable sd = NoiseTable::scaled_linear(0.00085, 0.012, 1000);
  CHECK(sd.sigma_max() == Approx(14.6146).epsilon(1e-5));
  CHECK(sd.sigma_min() == Approx(0.0292).epsilon(2e-3));

  const Discrete exact{sd}, rounded{sd, true};
  for (const int step : {0, 1, 500, 998, 999}) {
    const double level = sd.sigma((step + 1) / 1000.);
    CHECK(exact.label(level) == Approx(step).margin(1e-9));
    CHECK(rounded.label(level) == step);
  }
  const double between = sd.sigma(0.50140);
  CHECK(exact.label(between) == Approx(500.4).margin(1e-9));
  CHECK(rounded.label(between) == 500);
  CHECK(exact.label(1e-3) == 0);  // levels beyond those of the training
  CHECK(exact.label(1000) == 999);
  CHECK(VpLinear{.label_scale = 999}.label(VpLinear{}.sigma(0.25)) == Approx(999 * 0.25).epsilon(1e-12));
}

TEST_CASE("networks can be called in every form, with and without features") {
  const Array x = noise({1, 2}, 3);
  const Sigma sigma(2.);
  const Array want = x - 2. * 0.5 * (x / std::sqrt(5.));
  const double t = VpLinear{}.time(2.);
  const auto shared = from_epsilon(
      [t](const Array& z, double label) -> Array {
        CHECK(label == t);
        return 0.5 * z;
      },
      VpLinear{});
  CHECK(largest(at(shared, x, sigma) - want) < 1e-15);
  static_assert(Denoiser<decltype(shared), Array> && !PerSampleDenoiser<decltype(shared), Array>);
  const auto writes = from_epsilon([](const Array& z, const Sigma&, Array& out) { out = 0.5 * z; }, VpLinear{});
  CHECK(largest(at(writes, x, sigma) - want) < 1e-15);
  static_assert(PerSampleDenoiser<decltype(writes), Array>);
  const auto pair =
      from_epsilon([](const Array& z, const Sigma&) { return std::pair<Array, Array>(0.5 * z, z); }, VpLinear{});
  CHECK(largest(at(pair, x, sigma) - want) < 1e-15);
  CHECK(feature(pair) == Approx(1 / std::sqrt(2.)));
  const auto shared_pair =
      from_epsilon([](const Array& z, double) { return std::pair<Array, Array>(0.5 * z, z); }, VpLinear{});
  CHECK(largest(at(clamped(shared_pair, -9, 9), x, sigma) - want) < 1e-15);
  CHECK(feature(clamped(shared_pair, -9, 9)) == Approx(1 / std::sqrt(2.)));
  int calls = 0;
  auto counting = from_epsilon(
      [calls](const Array& z, double) mutable -> Array {
        ++calls;
        return 0.5 * z;
      },
      VpLinear{});
  static_assert(Denoiser<decltype(counting), Array> && !Denoiser<const decltype(counting), Array>);
  CHECK(sample(Heun{}, counting, karras({.steps = 3}), x).evaluations == 6);
  // A network without input scaling gets the state itself, not a copy.
  const Array* seen = nullptr;
  const auto identity = [&](const Array& z, const Sigma&, Array& out) {
    seen = &z;
    out = z;
  };
  at(from_x0(identity, Ve{}), x, sigma);
  CHECK(seen == &x);
}

TEST_CASE("every adaptor forwards features if there are any") {
  const auto one = constant(1, 1), two = constant(2, 2);
  const auto none = [](const Array& x, const Sigma&) -> Array { return x; };
  const auto returns_false = [](const Array&, const Sigma&, Array& out, Array&) {
    out = 0;
    return false;
  };
  const Array known = Array::Zero(3, 2);
  const auto every = [&](const auto& d) {
    return std::vector<double>{feature(d),
                               feature(edm_preconditioned(d)),
                               feature(from_epsilon(d, VpLinear{})),
                               feature(from_x0(d, Ve{})),
                               feature(from_v(d, VpCosine{})),
                               feature(from_flow(d)),
                               feature(from_flow_native(d)),
                               feature(clamped(d, -1, 1)),
                               feature(inpainted(d, known, known)),
                               feature(guided(d, two, {.scale = 3})),
                               feature(guided(d, two, {.scale = 3, .sigma_high = 0.1})),
                               feature(guided_batch(d, {.scale = 3})),
                               feature(guided_by_projection(d, two, {.scale = 3})),
                               feature(guided_zero_star(d, two, {.scale = 3}))};
  };
  CHECK(every(one) == std::vector<double>(14, 1.));
  CHECK(every(none) == std::vector<double>(14, -1.));
  CHECK(every(returns_false) == std::vector<double>(14, -1.));

  const auto classes = [](const Array& x, const Sigma&, int which) {
    return Output{x, Array::Constant(1, x.cols(), which)};
  };
  const auto model = [&](int which) { return from_v(conditioned(classes, which), VpLinear{}); };
  CHECK(feature(guided(model(7), model(3), {.scale = 2})) == 7);
  // The conditional half is the second one: its first feature is that of sample 3.
  const auto numbered = [](const Array& x, const Sigma&) {
    return Output{x, Eigen::ArrayXd::LinSpaced(x.cols(), 1, static_cast<double>(x.cols())).transpose()};
  };
  CHECK(feature(guided_batch(numbered, {.scale = 2})) == 3);
}

TEST_CASE("guidance follows its formula and interval, with levels per sample and as one doubled batch") {
  const MixtureDenoiser c({{1}, {{1, -1, 0.5}}, {0.3}}),
      u(GaussianMixture{{0.5, 0.5}, {{1, -1, 0.5}, {-1, 0, 0}}, {0.3, 0.4}});
  const Array x = noise({1, 2}, 3) * 3;
  const auto with = [](double scale, const Array& yes, const Array& no) -> Array { return no + scale * (yes - no); };
  const GuidanceOptions options{.scale = 4, .sigma_low = 0.5, .sigma_high = 3};
  const auto both = guided(c, u, options);
  CHECK(largest(at(both, x, Sigma(2.)) - with(4, at(c, x, Sigma(2.)), at(u, x, Sigma(2.)))) < 1e-13);
  CHECK((at(both, x, Sigma(3.1)) == at(c, x, Sigma(3.1))).all());
  CHECK((at(both, x, Sigma(0.4)) == at(c, x, Sigma(0.4))).all());

  Sigma each(0.);
  each.each(2) << 2., 5.;
  const Array mixed = at(both, x, each);
  CHECK(largest(mixed.col(0) - at(both, x, Sigma(2.)).col(0)) < 1e-15);
  CHECK(largest(mixed.col(1) - at(c, x, Sigma(5.)).col(1)) < 1e-15);

  const auto doubled = [&](const Array& twice, const Sigma& sigma, Array& out) {
    REQUIRE(twice.cols() == 4);
    Sigma half(sigma.value());
    if (sigma.per_sample()) half.each(2) << sigma[2], sigma[3];
    out.leftCols(2) = at(u, twice.leftCols(2), half);
    out.rightCols(2) = at(c, twice.rightCols(2), half);
  };
  const auto batch = guided_batch(doubled, options);
  for (const Sigma& sigma : {Sigma(2.), Sigma(5.), each})
    CHECK(largest(at(batch, x, sigma) - at(both, x, sigma)) < 1e-14);
}

TEST_CASE("guidance: rescale brings the deviation of the network's output back, whatever it predicts") {
  const Array x = noise({1, 2}, 5) * 3;
  const auto deviation = [](const Array& v) { return std::sqrt((v - v.mean()).square().mean()); };
  const auto c = [](const Array& z, const Sigma&) -> Array { return z.sin(); };
  const auto u = [](const Array& z, const Sigma&) -> Array { return 0.3 * z.cos(); };
  Sigma each(0.);
  each.each(2) << 2., 0.7;
  // D = skip x + out F, so that the outputs of two denoisers D with the same x have the deviations of D - skip x.
  const auto check = [&](const auto& dc, const auto& du, const auto& skip) {
    for (const Sigma& sigma : {Sigma(2.), each}) {
      const auto output = [&](const Array& denoised, int b) -> Array {
        return denoised.col(b) - skip(sigma[b]) * x.col(b);
      };
      const Array plain = at(guided(dc, du, {.scale = 4}), x, sigma), conditional = at(dc, x, sigma),
                  full = at(guided(dc, du, {.scale = 4, .rescale = 1}), x, sigma),
                  part = at(guided(dc, du, {.scale = 4, .rescale = 0.3}), x, sigma);
      for (int b = 0; b < 2; ++b) {
        CHECK(deviation(output(full, b)) == Approx(deviation(output(conditional, b))).epsilon(1e-12));
        CHECK(largest(part.col(b) - (0.3 * full.col(b) + 0.7 * plain.col(b))) < 1e-12);
        CHECK(deviation(output(plain, b)) > 1.1 * deviation(output(conditional, b)));
      }
    }
  };
  const auto alpha = [](double s) { return 1 / (1 + s * s); };
  check(c, u, [](double) { return 0.; });
  check(from_x0(c, Ve{}), from_x0(u, Ve{}), [](double) { return 0.; });
  check(from_epsilon(c, Ve{}), from_epsilon(u, Ve{}), [](double) { return 1.; });
  check(from_v(c, VpLinear{}), from_v(u, VpLinear{}), alpha);
  check(from_flow(c), from_flow(u), [](double s) { return 1 / (1 + s); });
  check(edm_preconditioned(c), edm_preconditioned(u), [](double s) { return 0.25 / (0.25 + s * s); });
  check(clamped(from_flow(c), -1e3, 1e3), from_flow(u), [](double s) { return 1 / (1 + s); });

  // Values of the paper's equations 15 and 16 for a velocity, which diffusers gives too.
  Array z(4, 1), yes(4, 1), no(4, 1), want(4, 1);
  z << 1.2, -0.4, 0.7, 2;
  yes << 1, -0.5, 0.2, 0.8;
  no << 0.6, -0.2, 0.1, 0.3;
  want << 0.507238, 0.023354, 0.546053, 1.307238;
  const auto always = [](const Array& v) { return [v](const Array&, const Sigma&) { return v; }; };
  const GuidanceOptions options{.scale = 3, .rescale = 0.7};
  CHECK(largest(at(guided(from_flow_native(always(yes)), from_flow_native(always(no)), options), z, Sigma(0.6)) -
                want) < 1e-6);
  CHECK(largest(at(guided(from_flow(always(yes)), from_flow(always(no)), options), Array(z / 0.4), Sigma(1.5)) - want) <
        1e-6);
  const auto halves = [&](const Array& twice, const Sigma&) -> Array {
    Array both(4, 2);
    both << no, yes;
    return both + 0 * twice;
  };
  CHECK(largest(at(guided_batch(from_flow_native(halves), options), z, Sigma(0.6)) - want) < 1e-6);
}

TEST_CASE("adaptive projected guidance follows its formula, with momentum within a run") {
  const auto c = [](const Array& z, const Sigma& s) -> Array { return z.sin() + s.value(); };
  const auto u = [](const Array& z, const Sigma&) -> Array { return 0.3 * z.cos(); };
  const Array x = noise({1, 2}, 5), y = noise({3, 4}, 5);
  const auto formula = [](const Array& yes, Array d, const ProjectionOptions& o) {
    Array made = yes;
    for (int b = 0; b < yes.cols(); ++b) {
      const double norm = std::sqrt(d.col(b).square().sum());
      if (norm > o.largest_norm) d.col(b) *= o.largest_norm / norm;
      const Eigen::ArrayXd along = yes.col(b) * ((d.col(b) * yes.col(b)).sum() / yes.col(b).square().sum());
      made.col(b) += (o.scale - 1) * ((d.col(b) - along) + o.parallel * along);
    }
    return made;
  };
  const Sigma high(2.), low(1.);
  for (const ProjectionOptions& o :
       {ProjectionOptions{.scale = 4}, {.scale = 4, .parallel = 0.4}, {.scale = 4, .largest_norm = 0.5}}) {
    auto d = guided_by_projection(c, u, o);
    const Array yes = at(c, x, high);
    CHECK(largest(at(d, x, high) - formula(yes, yes - at(u, x, high), o)) < 1e-13);
  }
  // All of it kept, this is plain guidance.
  auto plain = guided_by_projection(c, u, {.scale = 3, .parallel = 1});
  CHECK(largest(at(plain, x, high) - at(guided(c, u, {.scale = 3}), x, high)) < 1e-13);

  const ProjectionOptions o{.scale = 4, .momentum = -0.5};
  auto d = guided_by_projection(c, u, o);
  static_assert(Denoiser<decltype(d), Array> && !Denoiser<const decltype(d), Array>);
  const Array first = at(c, x, high) - at(u, x, high), second = at(c, y, low) - at(u, y, low);
  for (int run = 0; run < 2; ++run) {  // each begins anew
    CHECK(largest(at(d, x, high) - formula(at(c, x, high), first, o)) < 1e-13);
    CHECK(largest(at(d, y, low) - formula(at(c, y, low), second - 0.5 * first, o)) < 1e-13);
    CHECK(largest(at(d, y, low) - formula(at(c, y, low), 0.5 * second + 0.25 * first, o)) < 1e-13);  // as Heun's
  }
  for (int run = 0; run < 2; ++run)  // runs of one evaluation, with the same level
    CHECK(largest(at(d, x, Sigma(3.)) - formula(at(c, x, Sigma(3.)), at(c, x, Sigma(3.)) - at(u, x, Sigma(3.)), o)) <
          1e-13);
  CHECK_THAT(message_of([&] { guided_by_projection(c, u, {.parallel = 2}); }),
             Contains("parallel is 2; allowed: 0 to"));
  CHECK_THAT(message_of([&] { guided_by_projection(c, u, {.momentum = 1}); }), Contains("momentum is 1; allowed: num"));
  CHECK_THAT(message_of([&] { guided_by_projection(c, u, {.largest_norm = 0}); }), Contains("largest_norm is 0; all"));
}

TEST_CASE("CFG-Zero* follows its formula for the network's output") {
  const auto c = [](const Array& z, const Sigma&) -> Array { return z.sin(); };
  const auto u = [](const Array& z, const Sigma&) -> Array { return 0.3 * z.cos() + 0.5; };
  const Array x = noise({1, 2}, 5);
  const Array yes = at(c, x, Sigma(0.6)), no = at(u, x, Sigma(0.6));
  Array velocity = yes;
  for (int b = 0; b < 2; ++b) {
    const Eigen::ArrayXd other = no.col(b) * ((yes.col(b) * no.col(b)).sum() / no.col(b).square().sum());
    velocity.col(b) = other + 3 * (yes.col(b) - other);
  }
  const auto d = guided_zero_star(from_flow_native(c), from_flow_native(u), {.scale = 3, .zero_from = 0.95});
  CHECK(largest(at(d, x, Sigma(0.6)) - (x - 0.6 * velocity)) < 1e-13);
  CHECK(largest(at(guided_zero_star(c, u, {.scale = 3}), x, Sigma(0.6)) - velocity) < 1e-13);
  // Zero init: a step of Euler's method from such a level leaves the flow's state as it is, without an evaluation.
  CHECK((at(d, x, Sigma(0.97)) == x).all());
  CHECK(d.evaluations_at(Sigma(0.97)) == 0);
  CHECK(d.evaluations_at(Sigma(0.6)) == 2);
  const auto result = sample(Euler{}, d, Schedule({1, 0.9, 0.5, 0}), x);
  CHECK(result.evaluations == 3);
  CHECK(result.total_evaluations == 4);
  CHECK_THAT(message_of([&] { guided_zero_star(c, u, {.zero_from = -1}); }),
             Contains("zero_from is -1; allowed: 0 or"));
}

TEST_CASE("guidance: evaluations are counted in a run and predicted before it") {
  int c = 0, u = 0;
  const auto conditional = [&](const Array& x, double) -> Array {
    ++c;
    return 0.1 * x;
  };
  const auto unconditional = [&](const Array& x, double) -> Array {
    ++u;
    return 0.2 * x;
  };
  const Schedule s = karras({.steps = 8});
  const Array z = noise({1}, 3);
  const auto check = [&](const auto& denoise, bool always_all) {
    for (const auto& [label, solver] : test::configurations<Array>()) {
      INFO(label);
      c = u = 0;
      const auto r = sample(solver, denoise, s, z);
      CHECK(r.total_evaluations == c + u);
      CHECK(r.evaluations == evaluations(solver, s));
      const int most = evaluations(solver, s, {}, denoise.evaluations_per_call());
      if (always_all) CHECK(r.total_evaluations == most);
      else CHECK((r.total_evaluations < most && r.total_evaluations > r.evaluations));
    }
  };
  check(guided(conditional, unconditional, {.scale = 3}), true);
  check(guided(conditional, unconditional, {.scale = 1}), true);
  check(guided(conditional, unconditional, {.scale = 3, .sigma_low = 0.1, .sigma_high = 5}), false);
  check(clamped(guided(from_v(conditional, VpLinear{}), from_epsilon(unconditional, Ve{}), {.scale = 3}), -1, 1), true);
  // The network of an adaptor may be guided itself. Its levels are the labels, here times from 0 to 1.
  check(from_epsilon(guided(conditional, unconditional, {.scale = 3, .sigma_high = 0.5}), VpLinear{}), false);
  const auto doubled = [&](const Array& x, double) -> Array {
    c += 2;
    return 0.1 * x;
  };
  check(guided_batch(doubled, {.scale = 3, .sigma_high = 5}), true);
  CHECK(guided(conditional, unconditional, {.scale = 1}).evaluations_per_call() == 1);
  CHECK(guided_batch(guided(conditional, unconditional, {.scale = 2}), {.scale = 3}).evaluations_per_call() == 4);
}

TEST_CASE("clamped, inpainted and conditioned denoisers") {
  const MixtureDenoiser exact(test::mixture());
  const Array x = noise({1, 2}, 4) * 80;
  const Array low = at(clamped(exact, -0.5, 0.25), x, Sigma(0.1));
  CHECK((low == at(exact, x, Sigma(0.1)).max(-0.5).min(0.25)).all());
  const auto by_number = clamped([](const Eigen::ArrayXXf& v, double) -> Eigen::ArrayXXf { return v; }, -1, 1);
  CHECK(
      (sample(Euler{}, by_number, karras({.steps = 3, .end = End::zero}), noise<float>({1}, 3)).x.abs() <= 1.f).all());

  const Array known = Array::Constant(4, 2, 0.4), column = Array::Constant(4, 1, 0.4);
  Array mask = Array::Zero(4, 1);
  mask(2) = 1;
  mask(3) = 0.5;
  const Array mixed = at(inpainted(exact, known, mask), x, Sigma(3.)), plain = at(exact, x, Sigma(3.));
  CHECK((mixed.topRows(2) == plain.topRows(2)).all());
  CHECK((mixed.row(2) == 0.4).all());
  CHECK(largest(mixed.row(3) - 0.5 * (0.4 + plain.row(3))) < 1e-15);
  const Array end = integrate(Ipndm{}, inpainted(exact, column, mask), karras({.steps = 5, .end = End::zero}), x).x;
  CHECK((end.row(2) == 0.4).all());

  const std::vector<double> shifts{1, 2};
  const auto shifted = [](const Array& v, const Sigma&, const std::vector<double>& by) -> Array {
    Array out = v;
    for (Eigen::Index b = 0; b < v.cols(); ++b) out.col(b) += by[static_cast<std::size_t>(b)];
    return out;
  };
  CHECK((at(conditioned(shifted, shifts), x, Sigma(1.)) == shifted(x, Sigma(1.), shifts)).all());
  const auto shared =
      conditioned([](const Array& v, double sigma, double by, Array& out) { out = v + sigma * by; }, 3.);
  CHECK((at(shared, x, Sigma(2.)) == x + 6).all());
  static_assert(!PerSampleDenoiser<decltype(shared), Array> && Denoiser<decltype(shared), Array>);
  const auto whole = conditioned(
      [](const Array& v, const Sigma&, double by, Array& out, Array& f) {
        out = v;
        f = Array::Constant(1, 2, by);
      },
      3.);
  CHECK(feature(whole) == 3);

  // A distilled network takes the scale of guidance as an input beside the prompt: one evaluation per call.
  struct FluxCondition {
    double prompt, guidance;
  };
  const auto velocity = [](const Array& v, double t, const FluxCondition& c) -> Array {
    return v + t * c.prompt * c.guidance;
  };
  const auto distilled = from_flow_native(conditioned(velocity, FluxCondition{.prompt = 2, .guidance = 3.5}));
  CHECK(largest(at(distilled, x, Sigma(0.5)) - (x - 0.5 * (x + 0.5 * 7))) < 1e-15);
  CHECK(detail::evaluations_per_call(distilled) == 1);
}

TEST_CASE("adaptors work on doubles, fixed-size and float states") {
  const auto narrow = [](double x, double sigma) { return x * 0.04 / (0.04 + sigma * sigma); };
  const auto wide = [](double x, double sigma) { return x / (1 + sigma * sigma); };
  const auto one = guided(from_x0(narrow, Ve{}), edm_preconditioned(wide), {.scale = 2, .sigma_high = 5});
  const auto each = [](auto f) {
    return [f](const Array& x, double s) -> Array { return x.unaryExpr([&](double v) { return f(v, s); }); };
  };
  const auto many = guided(from_x0(each(narrow), Ve{}), edm_preconditioned(each(wide)), {.scale = 2, .sigma_high = 5});
  const auto a = sample(Heun{}, one, karras({.steps = 5}), 0.7);
  const auto b = sample(Heun{}, many, karras({.steps = 5}), Array(Array::Constant(1, 1, 0.7)));
  CHECK(a.x == Approx(b.x(0, 0)).epsilon(1e-14));
  CHECK(a.total_evaluations == b.total_evaluations);
  CHECK_THAT(
      message_of([&] { sample(Heun{}, guided(narrow, wide, {.scale = 2, .rescale = 1}), karras({.steps = 5}), 0.7); }),
      Contains("GuidanceOptions::rescale is 1; allowed: 0 for a state whose algebra"));

  using Small = Eigen::Array<float, 3, 1>;
  const auto half = [](const Small& x, double) -> Small { return 0.5f * x; };
  const auto model = clamped(guided(from_v(half, VpLinear{}), from_flow(half), {.scale = 2, .rescale = 0.5}), -2, 2);
  const auto r = sample(Dpmpp{}, model, karras({.steps = 4}), Small(1.f, -1.f, 0.5f));
  CHECK(r.status == Status::complete);
  CHECK(r.total_evaluations == 8);
  const Small none = Small::Zero();
  CHECK(sample(Euler{}, inpainted(half, none, none), karras({.steps = 4}), Small(1.f, -1.f, 0.5f)).status ==
        Status::complete);
}

TEST_CASE("errors of denoisers name the argument, its value and what is allowed") {
  const auto d = [](const Array& x, const Sigma&) -> Array { return x; };
  CHECK_THAT(message_of([&] { edm_preconditioned(d, -1.); }), Contains("sigma_data is -1; allowed: positive numbers"));
  CHECK_THAT(message_of([&] { from_v(d, VpLinear{.beta_min = 0}); }),
             Contains("VpLinear::beta_min is 0; allowed: positive"));
  CHECK_THAT(message_of([&] { from_v(d, VpLinear{.beta_max = 0.01}); }), Contains("VpLinear::beta_max is 0.01"));
  CHECK_THAT(message_of([&] { from_x0(d, VpCosine{.s = -1}); }), Contains("VpCosine::s is -1"));
  CHECK_THAT(message_of([&] { from_epsilon(d, Ve{0}); }), Contains("Ve::label_scale is 0"));
  CHECK_THAT(message_of([&] { from_flow(d, {.label_scale = -1000}); }), Contains("Flow::label_scale is -1000"));
  CHECK_THAT(message_of([&] { guided(d, d, {.scale = std::nan("")}); }), Contains("GuidanceOptions::scale is nan"));
  CHECK_THAT(message_of([&] { guided(d, d, {.sigma_low = 2, .sigma_high = 1}); }),
             Contains("sigma_high is 1; allowed: sigma_low or more"));
  CHECK_THAT(message_of([&] { guided_batch(d, {.rescale = 2}); }), Contains("rescale is 2; allowed: 0 to 1"));
  CHECK_THAT(message_of([&] { clamped(d, 1, -1); }), Contains("high is -1; allowed: numbers above low"));
  CHECK_THAT(message_of([] { NoiseTable::linear(1e-4, 2, 10); }),
             Contains("beta 5 is") && Contains("allowed: numbers between 0 and 1"));
  CHECK_THAT(message_of([] { NoiseTable::cosine(1); }), Contains("the number of betas is 1; allowed: 2 or more"));
  const Array x = noise({1, 2}, 3);
  CHECK_THAT(message_of([&] { at(inpainted(d, x, Array(Array::Ones(2, 2))), x, Sigma(1.)); }),
             Contains("the shape of `mask` is 2 x 2; allowed: 3 x 2, or one column"));
}

TEST_CASE("with_analytic_first_step takes the first slope from another denoiser") {
  // With the denoiser itself as the analytic one the run is the same with one evaluation less, also behind adaptors.
  const MixtureDenoiser exact(test::mixture()), other(GaussianMixture{{1}, {{0.5, -0.5, 1, 2}}, {0.3}});
  const Schedule schedule = karras({.steps = 4});
  const Array z = noise({1, 2, 3}, 4);
  const Options afs{.analytic_first_step = true};
  for (const auto& [label, solver] : test::configurations<Array>()) {
    INFO(label);
    const auto plain = sample(solver, exact, schedule, z),
               analytic = sample(solver, with_analytic_first_step(exact, exact), schedule, z, afs);
    CHECK(largest(analytic.x - plain.x) <= 1e-12);
    CHECK(analytic.evaluations == plain.evaluations - 1);
    CHECK(largest(sample(solver, clamped(with_analytic_first_step(exact, exact), -90, 90), schedule, z, afs).x -
                  plain.x) <= 1e-12);
    CHECK(largest(sample(solver, with_analytic_first_step(exact, other), schedule, z).x - plain.x) == 0);
    CHECK(largest(sample(solver, with_analytic_first_step(exact, other), schedule, z, afs).x - plain.x) > 1e-8);
  }
}
