// GITS: levels chosen from a model's own trajectories.
#include "support/catch.hpp"
#include "support/types.hpp"

#include <fewstep/denoisers/analytic_first_step.hpp>
#include <fewstep/eigen/laws.hpp>
#include <fewstep/fitting/gits.hpp>
#include <fewstep/laws/problems.hpp>
#include <fewstep/scalar.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

using namespace fewstep;
using test::Array;
using test::message_of;

namespace {

using Costs = std::vector<std::vector<double>>;

const laws::TwoPeaks peaks;
const auto array_peaks = laws::elementwise<Array>(peaks);
const Schedule fine = karras({.steps = 12});
const Options afs{.analytic_first_step = true};

void fill_with_nan(const Array&, const Level<Array>&, Array& out) { out.setConstant(NAN); }

}  // namespace

TEST_CASE("GITS: the path is the cheapest of all") {
  double seed = 0;
  Costs cost(8, std::vector<double>(8));
  for (auto& row : cost)
    for (double& c : row) c = std::abs(std::sin(seed += 1.7));
  const auto total = [&](const std::vector<std::size_t>& path) {
    double sum = 0, factor = 1;
    for (std::size_t k = 1; k < path.size(); ++k, factor *= 0.9) sum += factor * cost[path[k - 1]][path[k]];
    return sum;
  };
  for (int steps = 1; steps <= 7; ++steps) {
    double least = std::numeric_limits<double>::infinity();
    for (unsigned chosen = 0; chosen < 64; ++chosen) {  // which of the six levels between the ends
      std::vector<std::size_t> path{0};
      for (unsigned i = 0; i < 6; ++i)
        if (chosen & (1u << i)) path.push_back(i + 1);
      path.push_back(7);
      if (path.size() == static_cast<std::size_t>(steps) + 1) least = std::min(least, total(path));
    }
    const auto path = gits_path(cost, steps, 0.9);
    CHECK(path.size() == static_cast<std::size_t>(steps) + 1);
    CHECK(path.front() == 0);
    CHECK(path.back() == 7);
    CHECK(total(path) == Approx(least).epsilon(1e-12));
  }
  for (std::size_t i = 1; i < 7; ++i) {  // one level that makes both steps free
    Costs detour(8, std::vector<double>(8, 1.));
    detour[0][i] = detour[i][7] = 0;
    CHECK(gits_path(detour, 2, 1) == std::vector<std::size_t>{0, i, 7});
  }
  for (const int steps : {0, 8})
    CHECK(message_of([&] { gits_path(cost, steps, 1); }) ==
          "GitsOptions::steps is " + std::to_string(steps) + "; allowed: 1 to the teacher's 7");

  CHECK(GitsOptions{}.coefficient == 1.15);  // the published one
  CHECK(GitsOptions{}.steps == 5);
  CHECK(parse<GitsCost>("cost", "l1") == GitsCost::l1);
  CHECK(to_string(GitsCost::deviation) == "deviation");
}

TEST_CASE("GITS: costs of straight trajectories are 0, and costs do not depend on the state type") {
  const Array x = Array::Random(2, 3) * 80;
  // The trajectories to a constant image are straight.
  const auto straight = record_teacher_with_slopes(
      Euler{}, [](const Array&, const Level<Array>&, Array& out) { out.setConstant(0.4); }, fine, x);
  REQUIRE(straight.states.size() == 13);
  REQUIRE(straight.slopes.size() == 12);
  for (const GitsCost kind : {GitsCost::deviation, GitsCost::l1, GitsCost::l2})
    for (const auto& row : gits_costs(std::vector{straight}, fine, kind))
      for (const double c : row) CHECK(std::abs(c) < 1e-12);

  const auto by_number =
      record_teacher_with_slopes(Heun{}, [](double v, double sigma) { return peaks(v, sigma); }, fine, 60.);
  const auto by_array = record_teacher_with_slopes(Heun{}, array_peaks, fine, Array(Array::Constant(1, 2, 60.)));
  for (const GitsCost kind : {GitsCost::l1, GitsCost::l2}) {
    const Costs a = gits_costs(std::vector{by_number}, fine, kind), b = gits_costs(std::vector{by_array}, fine, kind);
    for (std::size_t i = 0; i < a.size(); ++i)
      for (std::size_t j = 0; j < a.size(); ++j) CHECK(a[i][j] == Approx(b[i][j]).margin(1e-12));
    CHECK(a[0][12] > 0.1);
  }
}

TEST_CASE("record_teacher: states, slopes and strides") {
  const Array x = Array::Random(2, 3) * 80;
  // The teacher takes the denoiser's analytic first step, and its slope is recorded.
  const auto analytic = with_analytic_first_step(
      array_peaks, [](const Array& v, const Level<Array>&, Array& out) { out = 0.1 * v + 0.3; });
  const auto own = record_teacher_with_slopes(Heun{}, analytic, fine, x, {.run = afs});
  CHECK(own.slopes.size() == 12);
  CHECK((own.slopes[0] - (0.9 * x - 0.3) / fine[0]).abs().maxCoeff() < 1e-12);
  CHECK((own.states.back() - integrate(Heun{}, analytic, fine, x, afs).x).abs().maxCoeff() == 0);

  // Every third state and the slopes there, which are those of the full record.
  const auto full = record_teacher_with_slopes(Heun{}, array_peaks, fine, x);
  const auto every_third = record_teacher_with_slopes(Heun{}, array_peaks, fine, x, {.stride = 3});
  const auto states_only = record_teacher(Heun{}, array_peaks, fine, x, {.stride = 3});
  REQUIRE(every_third.states.size() == 5);
  REQUIRE(every_third.slopes.size() == 4);
  REQUIRE(states_only.states.size() == 5);
  CHECK(states_only.slopes.empty());
  CHECK((full.states[0] - x).abs().maxCoeff() == 0);
  for (std::size_t k = 0; k < 5; ++k) {
    CHECK((every_third.states[k] - full.states[3 * k]).abs().maxCoeff() == 0);
    CHECK((states_only.states[k] - full.states[3 * k]).abs().maxCoeff() == 0);
    if (k < 4) CHECK((every_third.slopes[k] - full.slopes[3 * k]).abs().maxCoeff() == 0);
  }
  for (const std::size_t stride : {0u, 5u})
    CHECK(message_of([&] { record_teacher(Heun{}, array_peaks, fine, x, {.stride = stride}); }) ==
          "stride is " + std::to_string(stride) + "; allowed: divisors of the teacher's steps, 12");
  CHECK(message_of([&] { record_teacher(Heun{}, fill_with_nan, fine, x); }) == "the teacher's samples are not finite");

  // A refined schedule keeps the coarse levels and is even in the seventh root between them.
  const Schedule coarse({8, 2, 0.5}), refined_thrice = refined(coarse, 3);
  REQUIRE(refined_thrice.steps() == 6);
  for (std::size_t i = 0; i < 3; ++i) CHECK(refined_thrice[3 * i] == coarse[i]);
  const auto root = [](double level) { return std::pow(level, 1. / 7); };
  CHECK(root(refined_thrice[1]) == Approx((2 * root(8) + root(2)) / 3));
  CHECK(root(refined_thrice[5]) == Approx((root(2) + 2 * root(0.5)) / 3));
  CHECK(message_of([&] { refined(coarse, 0); }) == "parts is 0; allowed: 1 or more");
}

TEST_CASE("GITS: schedules have the teacher's levels, and the level inserted for AFS is the best") {
  const Array x = Array::Random(2, 3) * 80;
  const Schedule made = gits(Heun{}, array_peaks, fine, x, Ipndm{}, {.steps = 4});
  CHECK(made.steps() == 4);
  for (const double level : made) CHECK(std::find(fine.begin(), fine.end(), level) != fine.end());
  const Schedule with_analytic = gits(Heun{}, array_peaks, fine, x, Ipndm{}, {.steps = 4, .analytic_first_step = true});
  CHECK(with_analytic.steps() >= 4);
  CHECK(with_analytic.steps() <= 5);

  // The inserted level is the one with which the student ends closest to the teacher.
  const auto teacher = record_teacher_with_slopes(Heun{}, array_peaks, fine, x, {.run = afs});
  const auto distance = [&](const Schedule& schedule) {
    const Array change = integrate(Ipndm{}, array_peaks, schedule, Array(x), afs).x - teacher.states.back();
    return change.square().colwise().sum().sqrt().sum();
  };
  for (const std::size_t second : {2u, 5u, 9u}) {
    const Schedule inserted = gits_insertion(teacher, array_peaks, fine, {0, second, 12}, Ipndm{});
    REQUIRE(inserted.steps() == 3);
    CHECK(inserted[2] == fine[second]);
    for (std::size_t k = 1; k < second; ++k)
      CHECK(distance(inserted) <= distance(Schedule({fine[0], fine[k], fine[second], fine[12]})));
  }
  CHECK(gits_insertion(teacher, array_peaks, fine, {0, 1, 12}, Ipndm{}).levels() ==
        std::vector<double>{fine[0], fine[1], fine[12]});  // no level lies before the second
}
