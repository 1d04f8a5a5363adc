// Tables of weights: they equal their solvers, AdaSDE's published one among them, and invalid ones are rejected. Files
// of tables: io_test.cpp.
#include "support/catch.hpp"
#include "support/laws.hpp"
#include "support/types.hpp"

#include <fewstep/eigen/laws.hpp>
#include <fewstep/fitting/tabulate.hpp>
#include <fewstep/io/table_file.hpp>

#include <cmath>
#include <cstddef>
#include <filesystem>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

using namespace fewstep;
using test::Array;
using test::cloud;
using test::message_of;

namespace {

const MixtureDenoiser& mixture = test::plane;
/// A ratio of 1/3, given per sample.
struct Third {
  static constexpr bool per_sample = true;
  template <class X>
  void operator()(const Step<X>&, const Features<X>*, Prediction<X>& out) const {
    out.ratio.each(3).setConstant(1. / 3);
  }
};
/// Heun's method with the previous step's slope in its first stage, which no midpoint of a table can express.
struct LateHeun {
  struct Before {
    double slope = 0;
    void detach() {}
  };
  static constexpr Target target = Target::slope;
  static constexpr int evaluations() { return 2; }
  Before memory(const double&) const { return {}; }
  template <class M>
  void step(const Step<double>& n, double& x, double& slope, M& model, Before& before) const {
    const double h = n.to - n.from;
    double end = 0;
    model(x + h * (n.index > 0 ? before.slope : slope), n.to, end);
    x += h / 2 * (slope + end);
    before.slope = slope;
  }
};

}  // namespace

TEST_CASE("tabulate: every solver but PNDM equals its table") {
  const laws::TwoPeaks peaks;
  const auto denoise = [&](double x, double sigma) { return peaks(x, sigma); };
  int tables = 0;
  for (const auto& configuration : test::configurations<double>())
    for (const auto& [name, make] : test::schedules())
      for (const auto& [steps, end] :
           {std::pair{1, End::sigma_min}, {2, End::sigma_min}, {5, End::sigma_min}, {1, End::zero}, {4, End::zero}}) {
        const std::string& label = configuration.label;
        const AnySolver<double>& solver = configuration.solver;
        INFO(label << ", " << name << ", " << steps << " steps, to " << to_string(end));
        const Schedule schedule = make(steps, end);
        if (label.starts_with("pndm") &&
            !(schedule.steps() == 1 && end == End::zero)) {  // its midpoints depend on each other
          CHECK_THAT(message_of([&] { tabulate(solver, schedule); }),
                     Catch::Contains("allowed: 0, as a table's midpoints"));
          continue;
        }
        const Table table = tabulate(solver, schedule);
        ++tables;
        const auto plain = sample(solver, denoise, schedule, 0.7),
                   tabled = sample(table, denoise, table.schedule(), 0.7);
        CHECK(tabled.evaluations == plain.evaluations);
        // At low levels the weights of slopes are sums of large numbers.
        const double tolerance = name == "huge and tiny" ? 1e-6 : 1e-9;
        CHECK(std::abs(tabled.x - plain.x) <= tolerance * std::max(1., std::abs(plain.x)));
        if (schedule.steps() == 1 && end == End::zero) continue;  // a run denoises there, with or without AFS
        const Options afs{.analytic_first_step = true};
        CHECK(std::abs(sample(table, denoise, table.schedule(), 0.7, afs).x -
                       sample(solver, denoise, schedule, 0.7, afs).x) <= tolerance * 10);
      }
  CHECK(tables > 500);
  // A row has weights only for the targets that its solver uses: rounding in long runs adds none.
  const Table one = tabulate(Dpmpp{.order = 1}, karras({.steps = 30})),
              three = tabulate(SinglestepDpm{.order = 3}, karras({.steps = 30}));
  for (const Table::Row& row : one.rows) CHECK(row.weights.size() == 1);
  for (const Table::Row& row : three.rows) CHECK(row.weights.size() <= 3);
  CHECK(tabulate(LateHeun{}, karras({.steps = 1})).rows[0].midpoints.size() == 1);
  CHECK_THAT(message_of([&] { tabulate(LateHeun{}, karras({.steps = 2})); }),
             Catch::Contains("the weight of the solver's evaluation 0 in state 3 is "));
}

TEST_CASE("tabulate: AMED-Solver with AdaSDE's published constants equals its table") {
  // For CIFAR-10 at 5 and 9 evaluations: ratios (from the last line of the log), scales of the level and of the step.
  // The noise that AdaSDE adds is left out, since a solver of the ODE has none: it raises levels by the factor gamma,
  // which is below 0.001 at 5 evaluations.
  struct Published {
    std::vector<double> ratio, sigma_scale, direction;
  };
  const laws::TwoPeaks peaks;
  const auto denoise = [&](double x, double sigma) { return peaks(x, sigma); };
  for (const auto& [ratio, sigma_scale, direction] :
       {Published{{0.2477, 0.3878, 0.1563}, {0.808, 0.961, 0.926}, {0.999, 1.004, 1.001}},
        Published{{0.149, 0.458, 0.555, 0.487, 0.166},
                  {0.802, 1.005, 1.012, 0.971, 0.857},
                  {0.999, 0.997, 1.011, 1.025, 1.020}}}) {
    const std::size_t steps = ratio.size();
    TablePredictor published;
    for (std::size_t i = 0; i < steps; ++i) published.rows.push_back({ratio[i], direction[i], sigma_scale[i]});
    const Schedule schedule = time_uniform({.steps = static_cast<int>(steps)});
    const Table table = tabulate(AmedSolver{published}, schedule);
    REQUIRE(table.rows.size() == 2 * steps);
    for (std::size_t i = 0; i < steps; ++i) CHECK(table.rows[2 * i + 1].sigma_scale == Approx(sigma_scale[i]));
    for (const bool afs : {false, true})
      for (const double z : {-1.3, 0.2, 0.9}) {
        double x = schedule[0] * z;  // by the published formula
        for (std::size_t i = 0; i < steps; ++i) {
          const double t = schedule[i], s = schedule[i + 1], mid = std::pow(s, ratio[i]) * std::pow(t, 1 - ratio[i]);
          const double slope = afs && i == 0 ? x / std::sqrt(1 + t * t) : (x - peaks(x, t)) / t;
          const double y = x + (mid - t) * slope;
          x += direction[i] * (s - t) * (y - peaks(y, sigma_scale[i] * mid)) / mid;
        }
        const Options options{.analytic_first_step = afs};
        const auto tabled = sample(table, denoise, table.schedule(), z, options);
        CHECK(tabled.x == Approx(x).epsilon(1e-11));
        CHECK(sample(AmedSolver{published}, denoise, schedule, z, options).x == Approx(x).epsilon(1e-11));
        CHECK(tabled.evaluations == static_cast<int>(2 * steps) - afs);
      }
  }
}

namespace {
/// A table with older slopes, one with older denoised images, and one with midpoints.
std::vector<std::pair<std::string, Table>> kinds_of_table(const Schedule& schedule) {
  return {{"iPNDM's", tabulate(Ipndm{.order = 3}, schedule)},
          {"DPM-Solver++'s", tabulate(Dpmpp{}, schedule)},
          {"Heun's", tabulate(Heun{}, schedule)}};
}
}  // namespace

TEMPLATE_TEST_CASE("a table obeys the laws on its own number of steps", "", double, Array, Eigen::ArrayXXf) {
  using X = TestType;
  for (const auto& [name, table] : kinds_of_table(laws::detail::grid())) {
    INFO(name);
    test::hold({{"purity", laws::purity<X>(table)},
                {"batch", laws::batch<X>(table)},
                {"levels", laws::per_sample_levels<X>(table)},
                {"exactness", laws::exactness<X>(table)},
                {"weights alone", laws::weights_alone<X>(table)},
                {"resume", laws::resume<X>(table)},
                {"backends", laws::backends<X>(table, table)}});
  }
  for (const auto& [name, table] : kinds_of_table(karras({.steps = 4}))) {
    INFO(name);
    CHECK(laws::count<X>(table) == "");
  }
  // Two laws keep the analytic slope out of the history, so they take a table that uses no older slopes.
  CHECK(laws::forgetting<X>(tabulate(Heun{}, laws::detail::grid())) == "");
  CHECK(laws::wrapping<X>(tabulate(Heun{}, karras({.steps = 12}))) == "");
}

TEST_CASE("a table is rejected if the run lacks older targets that its rows use") {
  const Array z = cloud(1, 3);
  const auto refusal = [&](const auto& solver, const Schedule& schedule, const Options& options) {
    return message_of([&] { sample(solver, mixture, schedule, z, options); });
  };
  const Table slopes = tabulate(Ipndm{.order = 3}, karras({.steps = 4})),
              images = tabulate(Dpmpp{.order = 2}, karras({.steps = 4}));
  const std::string forgotten =
      "the number of targets kept before Table::rows[1] is 0; allowed: 1 or more: start at the first level, and keep "
      "the analytic slope in the history";
  const Options forget{.analytic_first_step = true, .analytic_in_history = false};
  CHECK(refusal(slopes, slopes.schedule(), forget) == forgotten);
  CHECK(refusal(images, images.schedule(), forget) == forgotten);
  CHECK(refusal(corrected_table(slopes, FixedRatio{}), every_second_level(slopes), forget) == forgotten);
  CHECK_THAT(refusal(slopes, slopes.schedule(), {.first_step = 2}),
             Catch::Contains("kept before Table::rows[2] is 0; allowed: 2 or more"));
  // A run may start at any row that needs no older targets than the run has.
  Table late = slopes;
  late.rows[2].weights.resize(1);
  late.rows[3].weights.resize(2);
  CHECK(refusal(late, late.schedule(), {.first_step = 2}) == "nothing was thrown");
  CHECK(refusal(tabulate(Euler{}, karras({.steps = 4})), karras({.steps = 4}), forget) == "nothing was thrown");
}

TEST_CASE("a table on other levels scales weights of slopes with the step") {
  // iPNDM's weights are multiples of the step, so its table for one schedule is iPNDM on every other of that length.
  const Schedule own = karras({.steps = 4}), other = log_uniform({.steps = 4});
  const Array z = cloud(1, 3);
  const Table table = tabulate(Ipndm{.order = 3}, own);
  CHECK((sample(table, mixture, other, z).x - sample(Ipndm{.order = 3}, mixture, other, z).x).abs().maxCoeff() <=
        1e-12);
  CHECK((sample(Amed{table, Third{}}, mixture, time_uniform({.steps = 2}), z).x -
         sample(Amed{Ipndm{.order = 3}, Third{}}, mixture, time_uniform({.steps = 2}), z).x)
            .abs()
            .maxCoeff() <= 1e-12);
  // Weights of denoised images do not depend on the step: they stay as they are.
  const Table images = tabulate(Dpmpp{.order = 1}, own);
  const auto constant = [](double, double) { return 0.3; };
  CHECK(sample(images, constant, other, 1.).x == Approx(sample(images, constant, own, other[0] / own[0]).x));
  // A midpoint keeps its level, and its weights scale with the step.
  const Table midpoint{.levels = {4, 2}, .rows = {{.weights = {-1}, .midpoints = {{3, -1, -1}}}}};
  const auto slope = [](double x, double sigma) { return x - sigma * (sigma + 1); };  // sigma + 1
  CHECK(sample(midpoint, slope, Schedule({4, 2}), 0.).x == Approx(-5 - 4));
  CHECK(sample(midpoint, slope, Schedule({4, 1}), 0.).x == Approx(-1.5 * (5 + 4)));
}

TEST_CASE("corrected_table: no correction gives the table, and corrections multiply odds and factors") {
  Table table = tabulate(Ipndm{.order = 3}, karras({.steps = 6}));
  for (std::size_t i = 0; i < 6; ++i) {
    table.rows[i].sigma_scale = 1 + 0.02 * static_cast<double>(i);
    table.rows[i].weights[0] *= 1.03;
  }
  const Array z = cloud(1, 3);
  const Schedule schedule = every_second_level(table);
  REQUIRE(schedule.steps() == 3);
  for (const bool afs : {false, true}) {
    const Options options{.analytic_first_step = afs};
    const auto plain = sample(table, mixture, table.schedule(), z, options);
    const auto plugged = sample(corrected_table(table, FixedRatio{0.5}), mixture, schedule, z, options);
    CHECK((plain.x - plugged.x).abs().maxCoeff() <= 1e-12);
    CHECK(plugged.evaluations == plain.evaluations);
  }
  const Step<double> n{4., 1., 1, 2};
  Prediction<double> out;
  const TablePredictor before{{{}, {0.25, 1.1, 0.9}}}, correction{{{}, {0.6, 1.2, 0.8}}};
  CorrectedPredictor{before, correction}(n, static_cast<const Features<double>*>(nullptr), out);
  CHECK(out.ratio == Approx(1. / 3));  // odds of 1/3 and 3/2
  CHECK(out.direction_scale == Approx(1.32));
  CHECK(out.sigma_scale == Approx(0.72));
  CorrectedPredictor{before, FixedRatio{}}(n, static_cast<const Features<double>*>(nullptr), out);
  CHECK(out.ratio == Approx(0.25));

  table.rows.pop_back();
  table.levels.pop_back();
  CHECK_THAT(message_of([&] { corrected_table(table, FixedRatio{}); }),
             Catch::Contains("number of rows of Table is 5; allowed: even numbers"));
  CHECK_THAT(message_of([&] { CorrectedPredictor{FixedRatio{2}, FixedRatio{}}.validate(); }),
             Catch::Contains("FixedRatio::ratio is 2"));
  CHECK_THAT(message_of([&] { CorrectedPredictor{FixedRatio{}, FixedRatio{3}}.validate(); }),
             Catch::Contains("FixedRatio::ratio is 3"));
}

namespace {

/// Heun's method as a table: one midpoint per row, at the right end of the step.
Table heun_table(const Schedule& schedule) {
  Table table{.levels = schedule.levels()};
  for (std::size_t i = 0; i < schedule.steps(); ++i) {
    const double h = schedule[i + 1] - schedule[i];
    table.rows.push_back({.weights = {h / 2}, .midpoints = {{schedule[i + 1], h, h / 2}}});
  }
  return table;
}

/// The mean of Heun's method and the midpoint rule: two midpoints per row.
Table mean_table(const Schedule& schedule) {
  Table table{.levels = schedule.levels()};
  for (std::size_t i = 0; i < schedule.steps(); ++i) {
    const double t = schedule[i], s = schedule[i + 1], h = s - t, mid = std::sqrt(t * s);
    table.rows.push_back({.weights = {h / 4}, .midpoints = {{s, h, h / 4}, {mid, mid - t, h / 2}}});
  }
  return table;
}

}  // namespace

TEST_CASE("midpoints: tables of Heun's method, and of its mean with the midpoint rule") {
  const Schedule schedule = karras({.steps = 4});
  const Table heun = heun_table(schedule), both = mean_table(schedule);
  const Array z = cloud(1, 3);
  for (const bool afs : {false, true}) {
    const Options options{.analytic_first_step = afs};
    const auto one = sample(Heun{}, mixture, schedule, z, options), other = sample(heun, mixture, schedule, z, options),
               two = sample(both, mixture, schedule, z, options);
    CHECK((one.x - other.x).abs().maxCoeff() <= 1e-12);
    CHECK(one.evaluations == other.evaluations);
    CHECK(other.evaluations == evaluations(heun, schedule, options));
    CHECK(two.evaluations == (afs ? 11 : 12));
    CHECK(two.evaluations == evaluations(both, schedule, options));
  }
  // One step of `both` is the mean of one step of each method.
  const Schedule step({schedule[0], schedule[1]});
  Table one = both;
  one.levels.resize(2);
  one.rows.resize(1);
  const Array mean = (sample(Heun{}, mixture, step, z).x + sample(AmedSolver{FixedRatio{0.5}}, mixture, step, z).x) / 2;
  CHECK((sample(one, mixture, step, z).x - mean).abs().maxCoeff() <= 1e-12);
  // A midpoint with its own carry and sigma scale.
  one.rows[0] = {.carry = 0.9, .weights = {-1}, .midpoints = {{10, -20, -30, 0.8, 1.1}}};
  const double t = schedule[0], x = 2;
  const auto known = [](double v, double sigma) { return 0.3 * v + sigma; };
  const double m0 = (x * t - known(x * t, t)) / t, y = 0.8 * x * t - 20 * m0, m1 = (y - known(y, 11)) / 10;
  CHECK(sample(one, known, step, x).x == Approx(0.9 * x * t - m0 - 30 * m1).epsilon(1e-12));
}

TEST_CASE("midpoints: tabulate() finds those of Heun's method, and rejects solvers whose midpoints form no table") {
  const Schedule schedule = karras({.steps = 4});
  const Table heun = heun_table(schedule);
  const Table exported = tabulate(Heun{}, schedule);
  CHECK(exported.levels == heun.levels);
  for (std::size_t i = 0; i < 4; ++i) {
    const Table::Row &row = exported.rows[i], &hand = heun.rows[i];
    CHECK(row.weights.size() == 1);
    REQUIRE(row.midpoints.size() == 1);
    const Table::Midpoint &m = row.midpoints[0], &by_hand = hand.midpoints[0];
    for (const auto& [got, want] : {std::pair{row.weights[0], hand.weights[0]},
                                    {row.carry, hand.carry},
                                    {row.sigma_scale, hand.sigma_scale},
                                    {m.level, by_hand.level},
                                    {m.reach, by_hand.reach},
                                    {m.weight, by_hand.weight},
                                    {m.carry, by_hand.carry},
                                    {m.sigma_scale, by_hand.sigma_scale}})
      CHECK(got == Approx(want).epsilon(1e-12));
  }
  CHECK_THAT(message_of([&] { tabulate(Richardson{Heun{}, 2}, schedule); }),
             Catch::Contains("allowed: 0, as a table's midpoints"));
  CHECK_THAT(message_of([&] { tabulate(Richardson{SinglestepDpm{.order = 2}, 2}, schedule); }),
             Catch::Contains("less than the level before it"));
}

TEST_CASE("midpoints: evaluations in all and in sequence") {
  const Schedule schedule = karras({.steps = 4});
  const Table both = mean_table(schedule);
  // evaluations(at) counts one step and adds it to the steps kept. For a schedule longer than the table, which step()
  // rejects, it reads no row.
  StepCount at{.kept = 2, .steps_left = 1, .remember = true};
  CHECK(both.evaluations(at) == 3);
  CHECK(at.kept == 3);
  at = {.kept = 3, .steps_left = 5, .remember = false};
  CHECK(both.evaluations(at) == 1);
  CHECK(at.kept == 3);
  CHECK(both.evaluations() == 3);
  CHECK(both.rounds() == 8);
  CHECK(both.rounds(true) == 7);
  CHECK(tabulate(Euler{}, schedule).rounds() == 4);
  CHECK(tabulate(Euler{}, schedule).rounds(true) == 3);
}

TEST_CASE("midpoints are stored in files, and invalid ones are rejected") {
  const Schedule schedule = karras({.steps = 4});
  const Array z = cloud(1, 3);
  const Table both = mean_table(schedule);
  const auto path = std::filesystem::temp_directory_path() / "fewstep_midpoints_test.json";
  io::write_table(path, {both});
  CHECK((sample(io::read_table(path).table, mixture, schedule, z).x - sample(both, mixture, schedule, z).x)
            .abs()
            .maxCoeff() == 0);
  std::filesystem::remove(path);
  for (const auto& [change, text] : {std::pair<Table::Midpoint, const char*>{{0, 1, 1}, "midpoints.level is 0"},
                                     {{1, NAN, 1}, "midpoints' weights is nan"},
                                     {{1, 1, INFINITY}, "midpoints' weights is inf"},
                                     {{1, 1, 1, NAN}, "midpoints' weights is nan"},
                                     {{1, 1, 1, 1, -1}, "midpoints.sigma_scale is -1"},
                                     {{1e-90, 1, 1, 1, 1e-20}, "midpoints.sigma_scale times the level is 1e-110"},
                                     {{1e90, 1, 1, 1, 1e20}, "midpoints.sigma_scale times the level is 1e+110"}}) {
    Table bad = both;
    bad.rows[1].midpoints[0] = change;
    CHECK_THAT(message_of([&] { bad.validate(); }), Catch::Contains(std::string("rows[1].") + text));
  }
}

TEST_CASE("an invalid table is rejected with row and value") {
  const auto refusal = [](auto change) {
    Table t = tabulate(Euler{}, karras({.steps = 3}));
    change(t);
    return message_of([&] { t.validate(); });
  };
  CHECK_THAT(refusal([](Table& t) { t.rows.clear(); }), Catch::Contains("number of rows of Table is 0"));
  CHECK_THAT(refusal([](Table& t) { t.levels.pop_back(); }),
             Catch::Contains("number of levels of Table is 3; allowed: 4"));
  CHECK_THAT(refusal([](Table& t) { t.levels = {1, 2, 3, 4}; }), Catch::Contains("increasing"));
  CHECK_THAT(refusal([](Table& t) { t.rows[1].carry = NAN; }), Catch::Contains("rows[1].carry is nan"));
  CHECK_THAT(refusal([](Table& t) { t.rows[0].carry = NAN; }), Catch::Contains("rows[0].carry is nan"));
  CHECK(Table::Row{}.carry == 1);
  CHECK(Table::Row{}.sigma_scale == 1);
  CHECK(Table{}.evaluations() == 1);
  CHECK(tabulate(Euler{}, karras({.steps = 3})).sigma_scale(3) == 1);
  CHECK_THAT(refusal([](Table& t) { t.rows[2].sigma_scale = 0; }), Catch::Contains("rows[2].sigma_scale is 0"));
  CHECK(refusal([](Table& t) { t.rows[1].sigma_scale = 1e100; }) ==
        "Table::rows[1].sigma_scale times the level is 9.72320135526013e+100; allowed: 1e-100 to 1e100");
  CHECK_THAT(refusal([](Table& t) { t.rows[2].sigma_scale = 1e-100; }),
             Catch::Contains("rows[2].sigma_scale times the level is "));
  CHECK_THAT(refusal([](Table& t) { t.rows[0].weights = {1, 2}; }),
             Catch::Contains("rows[0].weights is 2; allowed: 1 to 1"));
  CHECK_THAT(refusal([](Table& t) { t.rows[2].weights.clear(); }),
             Catch::Contains("rows[2].weights is 0; allowed: 1 to 3"));
  CHECK_THAT(refusal([](Table& t) { t.rows[1].weights[0] = INFINITY; }), Catch::Contains("rows[1].weights is inf"));
  // A row may use the targets of all rows before it, so memory and time limit the number of rows.
  for (const int rows : {1'000, 1'001}) {
    const Table many{.levels = log_uniform({.steps = rows}).levels(),
                     .rows = std::vector<Table::Row>(static_cast<std::size_t>(rows), {.weights = {-1e-3}})};
    CHECK(message_of([&] { many.validate(); }) ==
          (rows == 1'000 ? "nothing was thrown" : "the number of rows of Table is 1001; allowed: 1 to 1000"));
  }
  CHECK(refusal([](Table& t) { t.rows[1].midpoints.assign(64, {1, 1, 1}); }) == "nothing was thrown");
  CHECK(refusal([](Table& t) { t.rows[1].midpoints.assign(65, {1, 1, 1}); }) ==
        "the number of Table::rows[1].midpoints is 65; allowed: 0 to 64");
  const Table t = tabulate(Euler{}, karras({.steps = 3}));
  CHECK_THAT(message_of([&] { sample(t, mixture, karras({.steps = 4}), cloud(1, 2)); }),
             Catch::Contains("number of steps is 4; allowed: 3"));
}
