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
#include <limits>
#include <vector>

using namespace fewstep;
using test::Array;
using test::message_of;

TEST_CASE("GITS: the cheapest path among all, costs of straight and of bent trajectories") {
  double seed = 0;
  std::vector cost(8, std::vector<double>(8));
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
  for (std::size_t i = 1; i < 7; ++i) {  // wherever one level is worth its stop
    std::vector detour(8, std::vector<double>(8, 1.));
    detour[0][i] = detour[i][7] = 0;
    CHECK(gits_path(detour, 2, 1) == std::vector<std::size_t>{0, i, 7});
  }
  for (const int steps : {0, 8})
    CHECK(message_of([&] { gits_path(cost, steps, 1); }) ==
          "GitsOptions::steps is " + std::to_string(steps) + "; allowed: 1 to the teacher's 7");

  CHECK(GitsOptions{}.coefficient == 1.15);  // the published one
  CHECK(GitsOptions{}.steps == 5);

  // Towards a constant image trajectories are straight: no long step costs anything.
  const Schedule fine = karras({.steps = 12});
  const Array x = Array::Random(2, 3) * 80;
  const auto straight = record_teacher_with_slopes(
      Euler{}, [](const Array&, const Level<Array>&, Array& out) { out.setConstant(0.4); }, fine, x);
  REQUIRE(straight.states.size() == 13);
  REQUIRE(straight.slopes.size() == 12);
  for (const GitsCost kind : {GitsCost::deviation, GitsCost::l1, GitsCost::l2})
    for (const auto& row : gits_costs(std::vector{straight}, fine, kind))
      for (const double c : row) CHECK(std::abs(c) < 1e-12);

  // Two peaks: every state type tells the same costs, and a schedule of the teacher's levels comes out.
  const laws::TwoPeaks peaks;
  const auto by_number =
      record_teacher_with_slopes(Heun{}, [&](double v, double sigma) { return peaks(v, sigma); }, fine, 60.);
  const auto by_array =
      record_teacher_with_slopes(Heun{}, laws::elementwise<Array>(peaks), fine, Array(Array::Constant(1, 2, 60.)));
  for (const GitsCost kind : {GitsCost::l1, GitsCost::l2}) {
    const auto a = gits_costs(std::vector{by_number}, fine, kind), b = gits_costs(std::vector{by_array}, fine, kind);
    for (std::size_t i = 0; i < a.size(); ++i)
      for (std::size_t j = 0; j < a.size(); ++j) CHECK(a[i][j] == Approx(b[i][j]).margin(1e-12));
    CHECK(a[0][12] > 0.1);
  }
  // A denoiser's own analytic start is the teacher's too, and its slope is told.
  const auto started = with_analytic_first_step(
      laws::elementwise<Array>(peaks), [](const Array& v, const Level<Array>&, Array& out) { out = 0.1 * v + 0.3; });
  const Options free{.analytic_first_step = true};
  const auto own = record_teacher_with_slopes(Heun{}, started, fine, x, {.run = free});
  CHECK(own.slopes.size() == 12);
  CHECK((own.slopes[0] - (0.9 * x - 0.3) / fine[0]).abs().maxCoeff() < 1e-12);
  CHECK((own.states.back() - integrate(Heun{}, started, fine, x, free).x).abs().maxCoeff() == 0);
  const auto nowhere = [](const Array&, const Level<Array>&, Array& out) { out.setConstant(NAN); };
  CHECK(message_of([&] { record_teacher(Heun{}, nowhere, fine, x); }) == "the teacher's samples are not finite");

  const Schedule made = gits(Heun{}, laws::elementwise<Array>(peaks), fine, x, Ipndm{}, {.steps = 4});
  CHECK(made.steps() == 4);
  for (const double level : made) CHECK(std::find(fine.begin(), fine.end(), level) != fine.end());
  const Schedule free_start =
      gits(Heun{}, laws::elementwise<Array>(peaks), fine, x, Ipndm{}, {.steps = 4, .analytic_first_step = true});
  CHECK(free_start.steps() >= 4);
  CHECK(free_start.steps() <= 5);

  // The level that is inserted is the one that brings the student nearest; where there is a single one, that.
  const auto teacher = record_teacher_with_slopes(Heun{}, laws::elementwise<Array>(peaks), fine, x, {.run = free});
  const auto ends_off = [&](const Schedule& schedule) {
    const Array off =
        integrate(Ipndm{}, laws::elementwise<Array>(peaks), schedule, Array(x), {.analytic_first_step = true}).x -
        teacher.states.back();
    return off.square().colwise().sum().sqrt().sum();
  };
  for (const std::size_t second : {2u, 5u, 9u}) {
    const Schedule inserted = gits_insertion(teacher, laws::elementwise<Array>(peaks), fine, {0, second, 12}, Ipndm{});
    REQUIRE(inserted.steps() == 3);
    CHECK(inserted[2] == fine[second]);
    for (std::size_t k = 1; k < second; ++k)
      CHECK(ends_off(inserted) <= ends_off(Schedule({fine[0], fine[k], fine[second], fine[12]})));
  }
}
