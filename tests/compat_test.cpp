// compat/, the errors of published code: each solver reproduces the published formula and differs from the correct
// method.
#include "support/catch.hpp"
#include "support/message.hpp"

#include <fewstep/laws/solver.hpp>
#include <fewstep/scalar.hpp>
#include <fewstep/solvers/compat.hpp>
#include <fewstep/solvers/euler.hpp>
#include <fewstep/solvers/singlestep_dpm.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

using namespace fewstep;
using test::message_of;

namespace {

using V = std::vector<double>;

const V outputs{0.7, -0.4, 0.9, 0.3, -0.8, 0.5};  // model outputs, whatever the state
const V grid{40, 17, 9, 3, 1.3, 0.9, 0.2};        // steps of different ratios
const V even{9, 8, 7, 6, 5};

/// The last state of a run over the first `count` levels.
template <class S>
double end(const S& solver, const V& all, std::size_t count) {
  std::vector<laws::Rows> rows;
  for (const double v : outputs) rows.push_back({{v}});
  laws::detail::ScriptedModel<double> model{rows};
  return laws::detail::run_over_levels<double>(
      solver, model, V(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(count)), 1.3)[0][0];
}

/// The change of the state in the step from level i.
template <class S>
double added(const S& solver, const V& all, std::size_t i) {
  return end(solver, all, i + 2) - end(solver, all, i + 1);
}

/// The sum of weights times outputs, those of step i and before, newest first.
double weighted_outputs(const V& weights, std::size_t i) {
  double sum = 0;
  for (std::size_t k = 0; k < weights.size(); ++k) sum += weights[k] * outputs[i - k];
  return sum;
}

}  // namespace

TEST_CASE("compat: evaluations, defaults and allowed options") {
  CHECK(compat::IpndmV::evaluations() == 1);
  CHECK(compat::DeisTime::evaluations() == 1);
  CHECK(compat::DeisStale::evaluations() == 1);
  CHECK(compat::Dpmpp::evaluations() == 1);
  CHECK(compat::Ddim::evaluations() == 1);
  CHECK(compat::MultistepDpm::evaluations() == 1);
  CHECK(compat::GroupedSinglestepDpm::evaluations() == 1);
  CHECK(compat::SaSolver::evaluations() == 1);
  CHECK(compat::SelectiveUniPc::evaluations() == 1);
  CHECK(compat::ClippedHeun::evaluations() == 2);
  CHECK(compat::ClippedHeun{}.limit == 1);
  for (const std::size_t left : {1u, 2u}) {
    StepCount at;
    at.steps_left = left;
    CHECK(static_cast<std::size_t>(compat::ClippedHeun::evaluations(at)) == left);
  }
  CHECK(compat::ThresholdedSlope<Euler>::evaluations() == 1);
  CHECK(compat::Pndm{}.evaluations() == 2);
  CHECK(compat::Pndm{.middles = {{1, 1}}}.evaluations() == 4);
  CHECK(evaluations(compat::Pndm{}, karras({.steps = 6})) == 7);
  CHECK(evaluations(compat::Pndm{.middles = {{1, 1}, {1, 1}, {1, 1}}}, karras({.steps = 6})) == 15);
  CHECK(compat::UniPc::evaluations() == 2);
  CHECK(compat::DeisStale::solver.order == 4);
  CHECK(compat::IpndmV{}.order == 4);
  CHECK(compat::DeisTime{}.order == 3);
  for (const int order : {1, 2, 3, 4, 0, 5}) {
    const bool allowed = order >= 1 && order <= 4;
    CHECK(message_of([&] { compat::IpndmV{order}.validate(); }) ==
          (allowed ? "nothing was thrown" : "IpndmV::order is " + std::to_string(order) + "; allowed: 1 to 4"));
    CHECK(message_of([&] { compat::DeisTime{order}.validate(); }) ==
          (allowed ? "nothing was thrown" : "DeisTime::order is " + std::to_string(order) + "; allowed: 1 to 4"));
  }
  CHECK(message_of([] { compat::Ddim::clipped(0); }) == "Ddim::limit is 0; allowed: positive numbers");
  CHECK(message_of([] { compat::ClippedHeun{0}.validate(); }) == "ClippedHeun::limit is 0; allowed: positive numbers");
  CHECK(message_of([] { compat::MultistepDpm{{1, 4}}.validate(); }) == "MultistepDpm::orders is 4; allowed: 1 to 3");
  for (const int order : {0, 4})
    CHECK(message_of([&] { compat::GroupedSinglestepDpm{{order}}.validate(); }) ==
          "GroupedSinglestepDpm::orders is " + std::to_string(order) + "; allowed: 1 to 3");
  CHECK(compat::SaSolver{}.predictor_order == 2);
  CHECK(compat::SaSolver{}.corrector_order == 2);
  CHECK(message_of([] { compat::SaSolver{.corrector_order = 5}.validate(); }) ==
        "SaSolver::corrector_order is 5; allowed: 1 to 4");
}

TEST_CASE("compat::IpndmV has the published coefficients") {
  const auto published = [](const V& t, std::size_t i, int order) -> V {
    const double h = t[i + 1] - t[i], h1 = t[i] - t[i - 1], h2 = t[i - 1] - t[i - 2];
    const double a = (1 - h / (3 * (h + h1)) * (h * (h + h1)) / (h1 * (h1 + h2))) / 2;
    if (order == 3) return {h * ((2 + h / h1) / 2 + a), h * (-h / h1 / 2 - (1 + h1 / h2) * a), h * a * h1 / h2};
    const double h3 = t[i - 2] - t[i - 3], r = h1 * (h1 + h2) / (h2 * (h2 + h3));
    const double b = ((1 - h / (3 * (h + h1))) / 2 + (1 - h / (2 * (h + h1))) * h / (6 * (h + h1 + h2))) *
                     (h * (h + h1) * (h + h1 + h2)) / (h1 * (h1 + h2) * (h1 + h2 + h3));
    return {h * ((2 + h / h1) / 2 + a + b), h * (-h / h1 / 2 - (1 + h1 / h2) * a - (1 + h1 / h2 + r) * b),
            h * (a * h1 / h2 + (h1 / h2 + r * (1 + h2 / h3)) * b), -h * b * r * h1 / h2};
  };
  for (const int order : {1, 2, 3, 4}) {
    const compat::IpndmV published_solver{order};
    const Deis correct{.order = order, .variable = Variable::sigma};
    for (std::size_t i = 0; i < 6; ++i) {
      INFO("order " << order << ", step " << i);
      const int order_here = std::min(order, static_cast<int>(i) + 1);
      const double got = added(published_solver, grid, i);
      if (order_here < 3) CHECK(got == added(correct, grid, i));
      else CHECK(got == Approx(weighted_outputs(published(grid, i, order_here), i)).epsilon(1e-12));
    }
    if (order > 2) CHECK(std::abs(added(published_solver, grid, 4) - added(correct, grid, 4)) > 0.01);
  }
  // On equal steps the third order is Adams-Bashforth's; the fourth has 57/24, -65/24, 43/24, -11/24.
  CHECK(added(compat::IpndmV{3}, even, 3) ==
        Approx(added(Deis{.order = 3, .variable = Variable::sigma}, even, 3)).epsilon(1e-12));
  CHECK(added(compat::IpndmV{4}, even, 3) ==
        Approx(weighted_outputs({-57. / 24, 65. / 24, -43. / 24, 11. / 24}, 3)).epsilon(1e-12));
}

TEST_CASE("compat::DeisTime integrates by a sum of 10,000 points") {
  const VpLinear process = VpLinear::through(0.002, 80);
  for (std::size_t i = 0; i < 5; ++i)
    for (const int order : {1, 2, 3, 4}) {
      INFO("order " << order << ", step " << i);
      const std::size_t count = std::min(static_cast<std::size_t>(order), i + 1);
      const double first = process.time(grid[i]), last = process.time(grid[i + 1]);
      V weights(count);
      for (std::size_t k = 0; k < count; ++k) {
        if (count == 1) weights[k] = grid[i + 1] - grid[i];
        for (int point = 0; count > 1 && point < 10'000; ++point) {
          const double u = first + (last - first) * point / 9'999.,
                       alpha2 = 1 / (1 + process.sigma(u) * process.sigma(u));
          double value =
              0.5 * (process.beta_min + (process.beta_max - process.beta_min) * u) / std::sqrt(alpha2 * (1 - alpha2));
          for (std::size_t j = 0; j < count; ++j) {
            const double node = process.time(grid[i - j]);
            if (j != k) value *= (u - node) / (process.time(grid[i - k]) - node);
          }
          weights[k] += value * (last - first) / 10'000;
        }
      }
      const double got = added(compat::DeisTime{order}, grid, i);
      CHECK(got == Approx(weighted_outputs(weights, i)).epsilon(1e-9));
      if (count > 1) CHECK(std::abs(got - added(Deis{.order = order}, grid, i)) > 1e-8);
    }
}

TEST_CASE("compat::DeisStale keeps the weights of its fourth step") {
  const Deis correct{.order = 4, .variable = Variable::sigma};
  for (std::size_t i = 0; i < 4; ++i)
    CHECK(added(compat::DeisStale{}, grid, i) == Approx(added(correct, grid, i)).epsilon(1e-12));
  const auto weights = correct.weights(grid[4], std::array{grid[3], grid[2], grid[1], grid[0]});
  for (std::size_t i : {4u, 5u}) {
    CHECK(added(compat::DeisStale{}, grid, i) ==
          Approx(weighted_outputs(V(weights.begin(), weights.end()), i)).epsilon(1e-12));
    CHECK(std::abs(added(compat::DeisStale{}, grid, i) - added(correct, grid, i)) > 0.1);
  }
}

TEST_CASE("compat::Dpmpp has the published third order") {
  const double m2 = outputs[0], m1 = outputs[1], m0 = outputs[2], q = grid[0], p = grid[1], t = grid[2], s = grid[3];
  for (const Target target : {Target::denoised, Target::slope}) {
    const fewstep::Dpmpp correct{.order = 3, .target = target, .lower_order_final = false};
    const bool data = target == Target::denoised;
    const double h = std::log(t / s), r0 = std::log(p / t) / h, r1 = std::log(q / p) / h;
    const double a = (m0 - m1) / r0, b = (m1 - m2) / r1, first = a + r0 / (r0 + r1) * (a - b),
                 second = (a - b) / (r0 + r1);
    const double phi1 = data ? std::exp(-h) - 1 : std::exp(h) - 1, phi2 = data ? phi1 / h + 1 : phi1 / h - 1,
                 phi3 = phi2 / h - 0.5;
    const double x = end(correct, grid, 3);
    CHECK(end(compat::Dpmpp{correct}, grid, 3) == x);
    CHECK(end(compat::Dpmpp{correct}, grid, 4) == Approx(data ? s / t * x - phi1 * m0 + phi2 * first - phi3 * second
                                                              : x - s * (phi1 * m0 + phi2 * first + phi3 * second))
                                                      .epsilon(1e-12));
    CHECK(std::abs(end(compat::Dpmpp{correct}, grid, 4) - end(correct, grid, 4)) > 0.01);
    const compat::Dpmpp second_order{{.order = 2, .target = target}};
    CHECK(end(second_order, grid, 6) == end(second_order.solver, grid, 6));
  }
}

TEST_CASE("compat::Ddim follows diffusers' formulas") {
  const double t = grid[0], s = grid[1], image = outputs[0], x = 1.3;
  for (const double limit : {0.5, 0.6, 30.})
    CHECK(end(compat::Ddim::clipped(limit), grid, 2) ==
          Approx(std::clamp(image, -limit, limit) + s * (x - image) / t).epsilon(1e-12));
  CHECK(end(compat::Ddim{{}, Thresholding{0.9, 0.5, 0.5}}, grid, 2) == Approx(1 + s * (x - image) / t).epsilon(1e-12));
  // A step to level 12, whose alpha x is then treated as that of level s.
  const double reached = 12, there = image + reached / t * (x - image);
  const double ratio = std::sqrt(1 + s * s) / std::sqrt(1 + reached * reached);
  CHECK(end(compat::Ddim{{reached}}, grid, 2) == Approx(there * ratio).epsilon(1e-12));
  compat::Ddim both = compat::Ddim::clipped(0.5);
  both.reached = {reached};
  CHECK(end(both, grid, 2) == Approx((0.5 + reached * (x - image) / t) * ratio).epsilon(1e-12));
  CHECK(end(compat::Ddim{{s, grid[2]}}, grid, 3) == Approx(end(fewstep::Dpmpp{.order = 1}, grid, 3)).epsilon(1e-12));
}

TEST_CASE("compat: diffusers' solvers are the library's where they have the same orders") {
  for (const Target target : {Target::denoised, Target::slope}) {
    const fewstep::Dpmpp second{.order = 2, .target = target, .lower_order_final = false};
    CHECK(end(compat::MultistepDpm{{1, 2, 2, 2, 2, 2}, target}, grid, 6) ==
          Approx(end(second, grid, 6)).epsilon(1e-12));
    const compat::Dpmpp third{{.order = 3, .target = target, .lower_order_final = false}};
    CHECK(end(compat::MultistepDpm{{3, 3, 3, 3, 3, 3}, target}, grid, 6) == Approx(end(third, grid, 6)).epsilon(1e-12));
    const Deis heun{2, Variable::log_sigma, target};
    CHECK(end(compat::MultistepDpm{{2, 2, 2, 2, 2}, target, true}, grid, 6) ==
          Approx(end(heun, grid, 6)).epsilon(1e-10));
    // A group of steps is one step whose stage is a level of the schedule.
    const SinglestepDpm single{2, target, std::log(grid[0] / grid[1]) / std::log(grid[0] / grid[2])};
    const compat::GroupedSinglestepDpm grouped{{1, 2}, target};
    const auto denoise = laws::elementwise<double>(laws::TwoPeaks{});
    CHECK(sample(grouped, denoise, Schedule({grid[0], grid[1], grid[2]}), 0.4).x ==
          Approx(sample(single, denoise, Schedule({grid[0], grid[2]}), 0.4).x).epsilon(1e-12));
  }
  CHECK(end(compat::GroupedSinglestepDpm{{3, 2, 3}}, grid, 3) ==
        Approx(end(compat::GroupedSinglestepDpm{{1, 2, 3}}, grid, 3)).epsilon(1e-12));
  const V d = outputs;
  const double t = even[0], u = even[1];
  CHECK(end(compat::Pndm{.reached = {8, 7, 6, 5}, .restart = 9}, even, 2) ==
        Approx(1.3 + (u - t) * (d[0] + d[1]) / 2).epsilon(1e-12));
  CHECK(end(compat::ClippedHeun{100}, even, 2) == Approx(u / t * 1.3 + (1 - u / t) * d[0]).epsilon(1e-12));
  CHECK(end(compat::ThresholdedSlope{Euler{}}, even, 2) == Approx(1.3 + (u - t) * (1.3 - d[0]) / t).epsilon(1e-12));
}

TEST_CASE("compat::UniPc corrects the last state of a run shorter than its order") {
  const laws::TwoPeaks f;
  const auto denoise = laws::elementwise<double>(f);
  const auto run = [&](const auto& solver, const Schedule& schedule) { return sample(solver, denoise, schedule, 0.4); };
  const double t = 5, s = 1, x = 0.4 * t;
  for (const UniB variant : {UniB::bh1, UniB::bh2}) {
    const fewstep::UniPc correct{.order = 3, .variant = variant};
    const double m = f(x, t), predicted = s / t * x + (1 - s / t) * m;
    const double half = (variant == UniB::bh1 ? std::log(t / s) : 1 - s / t) / 2;
    const auto got = run(compat::UniPc{correct}, Schedule({t, s}));
    CHECK(got.x == Approx(predicted + half * (f(predicted, s) - m)).epsilon(1e-12));
    CHECK(got.evaluations == 2);
    CHECK(evaluations(compat::UniPc{correct}, Schedule({t, s}), {}) == 2);
    CHECK(run(correct, Schedule({t, s})).x == Approx(predicted).epsilon(1e-12));
    const auto two = run(compat::UniPc{correct}, Schedule({t, 2, s})),
               three = run(compat::UniPc{correct}, Schedule({t, 3, 2, s}));
    CHECK(two.evaluations == 3);
    CHECK(two.x != run(correct, Schedule({t, 2, s})).x);
    CHECK(three.evaluations == 3);
    CHECK(three.x == run(correct, Schedule({t, 3, 2, s})).x);
  }
}

TEST_CASE("compat::discrete omits the power 1/rho of the first time") {
  const NoiseTable table = NoiseTable::linear(0.0001, 0.02, 100);
  const DiscreteOptions options{.steps = 4, .rho = 2, .sigma_min = table.sigma(0.05), .sigma_max = table.sigma(0.8)};
  const Schedule published = compat::discrete(table, options);
  CHECK(published.steps() == 4);
  for (int i = 0; i <= 4; ++i) {
    const double root = 0.8 + i / 4. * (std::sqrt(0.05) - 0.8);
    CHECK(published[static_cast<std::size_t>(i)] == Approx(table.sigma(root * root)).epsilon(1e-9));
  }
  CHECK(published[0] < options.sigma_max);
  DiscreteOptions plain = options;
  plain.rho = 1;
  for (std::size_t i = 0; i <= 4; ++i)
    CHECK(compat::discrete(table, plain)[i] == Approx(discrete(table, plain)[i]).epsilon(1e-12));
}
