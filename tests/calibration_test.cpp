// Numbers of a table fitted to a model: nearer on trajectories that were not fitted to, at a known cost, and safe where
// it cannot be.
#include "support/catch.hpp"
#include "support/laws.hpp"
#include "support/types.hpp"

#include <fewstep/fitting/calibrate.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
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
double rms(const Array& x) { return std::sqrt(x.square().colwise().sum().mean()); }

/// Heun's method in `parts` steps for each step of the schedule, from unit noise.
template <class D>
TeacherTrajectory<Array> taught(const D& denoise, const Schedule& schedule, const Array& noise, std::size_t parts = 6) {
  return record_teacher(Heun{}, denoise, refined(schedule, static_cast<int>(parts)), Array(schedule[0] * noise),
                        {.stride = parts});
}
using Trajectories = std::vector<TeacherTrajectory<Array>>;

}  // namespace

TEST_CASE("calibration: better where it was not fitted, the same for the same noise, and never worse than its start") {
  const Array unseen = cloud(5'000, 600);
  const Table start = tabulate(Ipndm{.order = 3}, karras({.steps = 6}));
  const Array exact = sample(Heun{}, mixture, karras({.steps = 200}), unseen).x;
  const Options afs{.analytic_first_step = true};
  const auto distance = [&](const Table& t) { return rms(sample(t, mixture, t.schedule(), unseen, afs).x - exact); };
  const std::vector<Array> batches{cloud(0, 150), cloud(150, 150)};

  const Calibration steps = calibrate(mixture, start, batches, {.iterations = 0});
  CHECK(steps.steps_rms == steps.best_rms);
  CHECK(steps.best_rms < 0.8 * steps.start_rms);
  CHECK(distance(steps.table) < 0.8 * distance(start));
  const Calibration all = calibrate(mixture, start, batches, {.iterations = 6});
  CHECK(all.best_rms < 0.9 * steps.best_rms);
  CHECK(distance(all.table) < 0.9 * distance(steps.table));
  CHECK(calibrate(mixture, start, batches, {.iterations = 6}).table.levels == all.table.levels);

  // The teacher's error is estimated, and its states may be given.
  const auto ends = [&](const Array& z, std::size_t parts) {
    return taught(mixture, start.schedule(), z, parts).states.back();
  };
  const Array fine = ends(batches[0], 100), errors = (ends(batches[0], 6) - fine).square().colwise().sum();
  const double median = std::sqrt(detail::median_of({errors.data(), errors.data() + errors.size()}));
  CHECK(all.teacher_error > 0.4 * median);
  CHECK(all.teacher_error < 2.5 * median);
  const Trajectories teacher{taught(mixture, start.schedule(), batches[0]),
                             taught(mixture, start.schedule(), batches[1])};
  CHECK(calibrate(mixture, start, teacher, {.iterations = 6}).table.levels == all.table.levels);

  // Stopped at any stage and resumed, it ends at the same numbers.
  for (const int stage : {0, 1, 3}) {
    CalibrationProgress kept;
    const auto until = [&](const CalibrationProgress& p) {
      kept = p;
      return p.stage < stage;
    };
    calibrate(mixture, start, teacher, {.iterations = 6, .report = until});
    CHECK(kept.stage == stage);
    const Calibration resumed = calibrate(mixture, start, teacher, {.iterations = 6, .resume = kept});
    CHECK(resumed.table.levels == all.table.levels);
    CHECK(resumed.table.rows.back().weights == all.table.rows.back().weights);
    CHECK(resumed.start_rms == all.start_rms);
    CHECK(resumed.best_rms == all.best_rms);
  }

  // What is resumed tells no distances: of a table that is worse than the start, however near it says it is, nothing
  // comes back.
  Table worse = start;
  for (auto& row : worse.rows) row.weights.resize(1), row.weights[0] *= 1.1;
  const Calibration misled =
      calibrate(mixture, start, teacher,
                {.iterations = 0, .resume = CalibrationProgress{.stage = 1, .table = worse, .best = worse}});
  CHECK(misled.table.rows[1].weights == start.rows[1].weights);
  CHECK(misled.best_rms == misled.start_rms);
  CHECK(misled.start_rms == all.start_rms);
  // It goes on from its present table, whichever was the best.
  const auto once_more = [&](const Table& best) {
    return calibrate(mixture, start, teacher,
                     {.iterations = 1, .resume = CalibrationProgress{.stage = 1, .table = steps.table, .best = best}})
        .table;
  };
  CHECK(once_more(start).levels == once_more(steps.table).levels);
  CHECK(once_more(start).levels != start.levels);

  // A held-out trajectory whose teacher ends in another place does not decide, whichever way it moves.
  std::set<std::vector<double>> levels;
  for (const double away : {0., 100., -100.}) {
    Trajectories odd = teacher;
    odd[1].states.back().col(149) += away;
    CalibrationProgress from{.stage = 1, .table = steps.table, .best = steps.table};
    from.start_median = 0.03;
    from.best_loss = 1e9;
    levels.insert(calibrate(mixture, start, odd, {.iterations = 6, .resume = from}).table.levels);
  }
  CHECK(levels.size() == 1);

  // As it is seen: here with numbers limited, and some of them twice. What is beyond is no error.
  const auto see = [](const Array& x) -> Array {
    Array y(x.rows() + 1, x.cols());
    y << x.max(-0.5).min(0.5), 2 * x.row(0).max(-0.5).min(0.5);
    return y;
  };
  const auto held_out = [&](const Table& t, const auto& seen) {
    const Array z = cloud(225, 75);
    return std::sqrt((seen(sample(t, mixture, t.schedule(), z, afs).x) - seen(ends(z, 6))).square().sum() / 75);
  };
  CHECK(all.best_rms == Approx(held_out(all.table, [](const Array& x) { return x; })));
  const Calibration seen = calibrate(mixture, start, teacher, {.iterations = 6}, see);
  CHECK(seen.start_rms == Approx(held_out(start, see)));
  CHECK(seen.best_rms == Approx(held_out(seen.table, see)));
  CHECK(seen.best_rms < held_out(all.table, see));
  CHECK(seen.best_rms <= seen.steps_rms);

  // One batch of all samples is the same problem.
  const Calibration whole = calibrate(mixture, start, std::vector<Array>{cloud(0, 300)}, {.iterations = 0});
  for (std::size_t i = 0; i < start.rows.size(); ++i)
    for (std::size_t k = 0; k < whole.table.rows[i].weights.size(); ++k)
      CHECK(whole.table.rows[i].weights[k] == Approx(steps.table.rows[i].weights[k]).epsilon(1e-6));

  int stages = 0;
  const Calibration stopped =
      calibrate(mixture, start, batches, {.report = [&](const CalibrationProgress&) { return ++stages < 2; }});
  CHECK(stages == 2);
  CHECK(stopped.best_rms == steps.best_rms);
  // From where little is to be gained, and with as good as no trajectories, it returns nothing worse on what it holds
  // out.
  for (const std::size_t count : {4u, 12u}) {
    const Calibration few = calibrate(mixture, all.table, std::vector<Array>{cloud(0, count)}, {.iterations = 2});
    const std::size_t fitted = count - count / 4;
    const Array z = cloud(fitted, count - fitted), taught_ends = taught(mixture, all.table.schedule(), z).states.back();
    const auto squares = [&](const Table& t) {
      const Array each = (sample(t, mixture, t.schedule(), z, afs).x - taught_ends).square().colwise().sum();
      return std::vector<double>(each.data(), each.data() + each.size());
    };
    const std::vector<double> first = squares(all.table), last = squares(few.table);
    CHECK(detail::cauchy_of(last, detail::median_of(first)) <= detail::cauchy_of(first, detail::median_of(first)));
    CHECK(few.start_median == Approx(std::sqrt(detail::median_of(first))));
    CHECK(few.best_median == Approx(std::sqrt(detail::median_of(last))));
  }
}

TEST_CASE("calibration: samples that the model gives no numbers for are left out of what is fitted") {
  const Table start = tabulate(Ipndm{.order = 3}, karras({.steps = 6}));
  const std::vector<Array> batch{cloud(0, 200)};
  const Trajectories teacher{taught(mixture, start.schedule(), batch[0])};
  const double most = batch[0].row(1).tail(50).maxCoeff();  // of those held out
  REQUIRE(batch[0].row(1).maxCoeff() > most);
  const auto partial = [&](const Array& x, const Level<Array>& sigma, Array& out) {
    mixture(x, sigma, out);
    for (Eigen::Index b = 0; b < x.cols(); ++b)
      if (batch[0](1, b) > most) out.col(b) = NAN;
  };
  const Calibration made = calibrate(partial, start, teacher, {.iterations = 3});
  CHECK(made.steps_rms < 0.8 * made.start_rms);
  CHECK(made.best_rms <= made.steps_rms);
}

TEST_CASE("calibration: a model of one direction, samples that are alike, and settings that do not fit") {
  // All slopes are the same: the Gram matrix has rank one.
  const auto constant = [](const Array& x, const Level<Array>&, Array& out) { out = Array::Zero(x.rows(), x.cols()); };
  const Table start = tabulate(Euler{}, karras({.steps = 4}));
  const Calibration made =
      calibrate(constant, start, std::vector<Array>{cloud(0, 20)}, {.iterations = 2, .analytic_first_step = false});
  CHECK(made.best_rms <= made.start_rms);
  CHECK(made.best_rms < 1e-6);
  const auto refusal = [&](CalibrationOptions o, std::size_t count = 20) {
    return message_of([&] { calibrate(mixture, start, std::vector<Array>{cloud(0, count)}, o); });
  };
  CHECK(refusal({.held_out = 1}) == "held_out is 1; allowed: numbers between 0 and 1");
  const auto one = [](const Array& x) -> Array { return x.col(0); };
  CHECK(message_of([&] { calibrate(mixture, start, std::vector<Array>{cloud(0, 20)}, {}, one); }) ==
        "the number of samples seen is 1; allowed: 20, those of the state");
  CHECK_THAT(message_of([&] { calibrate(mixture, start, std::vector<Array>{}); }),
             Catch::Contains("number of batches of noise is 0"));
  Trajectories longer{taught(mixture, karras({.steps = 5}), cloud(0, 20))};
  CHECK(message_of([&] { calibrate(mixture, start, longer, {}); }) ==
        "the number of states of the teacher is 6; allowed: 5, the table's levels");
  CHECK(refusal({.ridge = -1}) == "ridge is -1; allowed: 0 and positive numbers");
  CHECK(refusal({.teacher_steps = 0}) == "teacher_steps is 0; allowed: 2 or more");
  CHECK_THAT(refusal({}, 2), Catch::Contains("number of trajectories is 2"));
  const Table images = tabulate(Dpmpp{}, karras({.steps = 4}));
  CHECK_THAT(message_of([&] { calibrate(mixture, images, std::vector<Array>{cloud(0, 20)}); }),
             Catch::Contains("target is denoised; allowed: slope"));
  const Table heun{.levels = {4, 2}, .rows = {{.weights = {-1}, .midpoints = {{2, -2, -1}}}}};
  CHECK_THAT(message_of([&] { calibrate(mixture, heun, std::vector<Array>{cloud(0, 20)}); }),
             Catch::Contains("one with midpoints"));
  Table odd = start;
  odd.rows[1].carry = 0.9;
  CHECK_THAT(message_of([&] { calibrate(mixture, odd, std::vector<Array>{cloud(0, 20)}); }),
             Catch::Contains("carry of the table is 0.9; allowed: 1"));
  odd = start;
  odd.levels.back() = 0;
  CHECK_THAT(message_of([&] { calibrate(mixture, odd, std::vector<Array>{cloud(0, 20)}); }),
             Catch::Contains("last level is 0"));
  const Table five = tabulate(Euler{}, karras({.steps = 5}));
  const auto resumed = [&](CalibrationProgress p) { return refusal({.resume = p}); };
  CHECK_THAT(resumed({.stage = 1, .table = five, .best = five}), Catch::Contains("is resumed is 5; allowed: 4"));
  CHECK_THAT(resumed({.stage = 1, .table = start, .best = five}), Catch::Contains("is resumed is 5; allowed: 4"));
  CHECK_THAT(resumed({.stage = 1, .table = images, .best = start}),
             Catch::Contains("target is denoised; allowed: slope"));
  CHECK_THAT(resumed({.stage = 1, .table = start, .best = start, .damping = 0}),
             Catch::Contains("damping of what is resumed is 0; allowed: positive"));
  const Table lower = tabulate(Euler{}, karras({.steps = 4, .sigma_max = 20}));
  CHECK_THAT(resumed({.stage = 1, .table = start, .best = lower}),
             Catch::Contains("last level of what is resumed is 20"));

  // Refused before the teacher is asked.
  int asked = 0;
  const auto counted = [&](const Array& x, const Level<Array>& t, Array& out) { ++asked, mixture(x, t, out); };
  for (const CalibrationOptions& o : {CalibrationOptions{.held_out = 2},
                                      {.held_out = 0.01},
                                      {.held_out = 0.97},
                                      {.held_out = NAN},
                                      {.ridge = NAN},
                                      {.tries = 0}})
    CHECK_THROWS_AS(calibrate(counted, start, std::vector<Array>{cloud(0, 20)}, o), std::invalid_argument);
  CHECK_THROWS_AS(calibrate(counted, images, std::vector<Array>{cloud(0, 20)}), std::invalid_argument);
  CHECK(asked == 0);
  CHECK(refusal({.held_out = 0.01}) ==
        "held_out is 0.01; allowed: what leaves 2 or more of 20 trajectories to fit to and 1 or more to decide");
  CHECK(refusal({.tries = 0}) == "tries is 0; allowed: 1 or more");
  const auto broken = [](const Array& x, const Level<Array>&, Array& out) {
    out = Array::Constant(x.rows(), x.cols(), NAN);
  };
  CHECK_THAT(message_of([&] { calibrate(broken, start, std::vector<Array>{cloud(0, 20)}); }),
             Catch::Contains("teacher's samples are not finite"));
}

TEST_CASE("calibration: what the fit to the ends is made of") {
  using detail::TableNumber;
  Table table = tabulate(Ipndm{.order = 3}, karras({.steps = 4}));
  table.rows[1].sigma_scale = 1.1;

  // Every weight, every level and sigma_scale but the first ones, which are given; without an analytic start the first
  // sigma_scale too.
  for (const bool afs : {true, false}) {
    std::set<std::tuple<int, std::size_t, std::size_t>> all, expected;
    for (const TableNumber& n : detail::numbers_of(table, afs)) CHECK(all.insert({n.kind, n.row, n.term}).second);
    for (std::size_t row = 0; row < table.rows.size(); ++row) {
      for (std::size_t term = 0; term < table.rows[row].weights.size(); ++term)
        expected.insert({TableNumber::weight, row, term});
      if (row > 0) expected.insert({TableNumber::level, row, 0});
      if (row > 0 || !afs) expected.insert({TableNumber::sigma_scale, row, 0});
    }
    CHECK(all == expected);
  }

  // Cauchy's loss, and the middle of an odd and of an even number of values.
  CHECK(detail::cauchy_of(std::vector<double>{0, 18}, 2) == Approx(std::log(2.)));
  CHECK(detail::median_of({5, 1, 3}) == 3);
  CHECK(detail::median_of({5, 1, 3, 4, 2}) == 3);
  CHECK(detail::median_of({4, 1, 3, 2}) == 3);
  // Of a method of second order half of the steps are four times as far: what they change is three times the error.
  CHECK(teacher_error<Array>(Array::Zero(2, 5), 6, Array::Constant(2, 5, 3 / std::sqrt(2.)), 3) == Approx(1));

  const std::size_t fitted = 12;
  const std::vector<Array> z{cloud(0, 8), cloud(8, 8)};
  detail::TableRuns<Array, const MixtureDenoiser> runs(mixture, true, [](const Array& x) { return x; });
  for (const Array& one : z) {
    std::vector<Array> states = taught(mixture, table.schedule(), one).states;
    runs.add(table.levels[0] * one, {states.begin() + 1, states.end()});
  }
  runs.walk_all(table);
  const std::vector<TableNumber> numbers = detail::numbers_of(table, true);
  auto columns = detail::answers(table, runs, numbers, fitted);
  REQUIRE(columns.size() == 2);

  // A column is what the ends move by for a thousandth of a number, by the thousand.
  const auto ends = [&](const Table& t, const Array& from) {
    return sample(t, mixture, t.schedule(), from, {.analytic_first_step = true}).x;
  };
  for (std::size_t k = 0; k < columns.size(); ++k)
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      Table more = table;
      detail::move(more, numbers[i], 1e-3);
      const Array change = 1e3 * (ends(more, z[k]) - ends(table, z[k]));
      CHECK(change.abs().maxCoeff() > 1e-6);
      CHECK((columns[k][i] - change).abs().maxCoeff() < 1e-8);
    }

  // The normal equations by hand, of which a sample counts as Cauchy's loss has it: one held out, or without an answer,
  // not at all.
  columns[0][2](1, 0) = NAN;
  columns[1][0](0, 1) = INFINITY;
  const std::vector<double> squares = runs.squares();
  const auto equations = detail::normal_equations(runs, columns, squares, fitted, 0.01);
  const auto size = static_cast<Eigen::Index>(numbers.size());
  Eigen::MatrixXd matrix = Eigen::MatrixXd::Zero(size, size);
  Eigen::VectorXd right = Eigen::VectorXd::Zero(size);
  for (Eigen::Index sample = 0; sample < 12; ++sample) {
    if (sample == 0 || sample == 9) continue;
    const auto k = static_cast<std::size_t>(sample / 8);
    const double weight = 1 / (1 + squares[static_cast<std::size_t>(sample)] / 0.09);
    Eigen::MatrixXd answers(2, size);
    for (Eigen::Index i = 0; i < size; ++i) answers.col(i) = columns[k][static_cast<std::size_t>(i)].col(sample % 8);
    matrix += weight * answers.transpose() * answers;
    right -= weight * answers.transpose() *
             (runs.batches[k].states.back() - runs.batches[k].wanted).col(sample % 8).matrix();
  }
  CHECK((equations.matrix - matrix).norm() < 1e-10 * matrix.norm());
  CHECK((equations.right - right).norm() < 1e-10 * right.norm());

  // What a step did to the ends, the corrected columns would have foretold.
  columns = detail::answers(table, runs, numbers, fitted);
  const Eigen::VectorXd step = Eigen::VectorXd::LinSpaced(size, -0.02, 0.03);
  std::vector<Array> was;
  for (const auto& b : runs.batches) was.push_back(b.states.back());
  Table moved = table;
  for (std::size_t i = 0; i < numbers.size(); ++i) detail::move(moved, numbers[i], step(static_cast<Eigen::Index>(i)));
  runs.walk_all(moved);
  detail::learn_from_step(columns, runs, was, step, equations.matrix.diagonal());
  for (std::size_t k = 0; k < columns.size(); ++k) {
    Array foretold = Array::Zero(2, 8);
    for (std::size_t i = 0; i < numbers.size(); ++i) foretold += step(static_cast<Eigen::Index>(i)) * columns[k][i];
    CHECK((foretold - (runs.batches[k].states.back() - was[k])).abs().maxCoeff() < 1e-12);
  }
}

TEST_CASE("calibration: steps with no slope are Euler's, with the least of slopes they are fitted") {
  for (const double slope : {0., 1e-6}) {
    const auto nearly = [&](const Array& x, const Level<Array>&, Array& out) { out = (1 - slope) * x; };
    Table table = tabulate(Euler{}, karras({.steps = 3}));
    const Array z = cloud(0, 20);
    detail::TableRuns<Array, decltype(nearly)> runs(nearly, false, [](const Array& x) { return x; });
    std::vector<Array> states = taught(nearly, table.schedule(), z).states;
    runs.add(table.levels[0] * z, {states.begin() + 1, states.end()});
    for (Table::Row& row : table.rows) row.weights = {7};
    CHECK(detail::fit_steps(table, runs, 15, 3, 1e-6) == (slope > 0 ? 0 : 3));
    for (std::size_t i = 0; i < 3; ++i)
      if (slope == 0) CHECK(table.rows[i].weights == std::vector<double>{table.levels[i + 1] - table.levels[i]});
    CHECK((runs.batches[0].states.back() - runs.batches[0].wanted).abs().maxCoeff() < 1e-9);
  }
}

TEST_CASE("calibration: what it costs") {
  const Table start = tabulate(Ipndm{.order = 3}, karras({.steps = 6}));
  std::ptrdiff_t evaluated = 0;  // samples
  const auto counted = [&](const Array& x, const Level<Array>& sigma, Array& out) {
    evaluated += x.cols();
    mixture(x, sigma, out);
  };
  const std::vector<Array> batches{cloud(0, 40), cloud(40, 40)};
  Trajectories teacher;
  for (const Array& z : batches) teacher.push_back(taught(counted, start.schedule(), z));
  const std::ptrdiff_t teaching = std::exchange(evaluated, 0);
  CHECK(teaching == 80 * 2 * 6 * 6);
  calibrate(counted, start, teacher, {.iterations = 0});
  CHECK(evaluated == 80 * (5 + 5));  // the start's run, and the pass
  CHECK(static_cast<double>(teaching + evaluated) < 1.2 * static_cast<double>(teaching));
  const std::ptrdiff_t student = std::exchange(evaluated, 0);
  // An iteration of one try: a run again for each number, from where it first tells, and the try's.
  const Table steps = calibrate(mixture, start, teacher, {.iterations = 0}).table;
  std::size_t again = 0;
  for (const detail::TableNumber& n : detail::numbers_of(steps, true))
    again += steps.rows.size() - n.row - (n.kind == detail::TableNumber::weight ? 1 : 0);
  calibrate(counted, start, teacher, {.iterations = 1, .tries = 1});
  CHECK(std::exchange(evaluated, 0) == student + 80 * (static_cast<std::ptrdiff_t>(again) + 5));
  calibrate(counted, start, batches, {.iterations = 0});
  CHECK(evaluated ==
        teaching + 40 * 2 * 3 * 6 + student);  // of the first batch with half of the steps, to tell the teacher's error
}

TEST_CASE("calibration: a sample counts in all sums of a step or in none") {
  // The second sixty are the first sixty again, until the model gives no numbers for them: so each step is fitted as to
  // the first alone.
  const Table start = tabulate(Euler{}, karras({.steps = 5}));
  const Array once = cloud(0, 60), held_out = cloud(60, 40);
  Array both(2, 160), alone(2, 100);
  both << once, once, held_out;
  alone << once, held_out;
  const auto fitted = [&](const Array& z, double share, Eigen::Index broken) {
    const auto partial = [&](const Array& x, const Level<Array>& sigma, Array& out) {
      mixture(x, sigma, out);
      if (sigma[0] < 0.9 * start.levels[2]) out.middleCols(60, broken).setConstant(NAN);
    };
    const Trajectories teacher{taught(mixture, start.schedule(), z)};
    return calibrate(partial, start, teacher, {.held_out = share, .iterations = 0});
  };
  const Calibration with = fitted(both, 0.25, 60), without = fitted(alone, 0.4, 0);
  REQUIRE(with.steps_rms < without.start_rms);
  for (std::size_t i = 0; i < start.rows.size(); ++i) {
    INFO("row " << i);
    REQUIRE(with.table.rows[i].weights.size() == without.table.rows[i].weights.size());
    for (std::size_t k = 0; k < with.table.rows[i].weights.size(); ++k)
      CHECK(with.table.rows[i].weights[k] == Approx(without.table.rows[i].weights[k]).epsilon(1e-6));
  }
  REQUIRE(with.notes.size() == 1);
  CHECK(with.notes[0] == "60 of 160 trajectories of the table to start from are not finite");
  CHECK(without.notes.empty());
}

TEST_CASE("calibration: it says what did not go as it should") {
  const Table start = tabulate(Ipndm{.order = 3}, karras({.steps = 4}));
  const Array z = cloud(0, 60);
  const auto of = [&](const auto& denoise) { return Trajectories{taught(denoise, start.schedule(), z)}; };
  const auto said = [](const Calibration& made, const std::string& words) {
    return std::any_of(made.notes.begin(), made.notes.end(),
                       [&](const std::string& note) { return note.find(words) != std::string::npos; });
  };
  CHECK(calibrate(mixture, start, of(mixture), {.iterations = 1}).notes.empty());
  CHECK(said(calibrate(mixture, start, std::vector<Array>{cloud(0, 12)}, {.iterations = 1}),
             "only 3 of 12 trajectories are held out, and decide"));
  CHECK(calibrate(mixture, start, std::vector<Array>{cloud(0, 40)}, {.iterations = 0}).notes.empty());  // 10 are enough

  const auto still = [](const Array& x, const Level<Array>&, Array& out) { out = x; };  // no slope anywhere
  CHECK(said(calibrate(still, start, std::vector<Array>{z}, {.iterations = 1, .analytic_first_step = false}),
             "4 of 4 steps had nothing to be fitted to, and were Euler's"));

  const auto still_once = [&](const Array& x, const Level<Array>& sigma, Array& out) {  // no slope in the first step
    if (sigma[0] > 0.9 * start.levels[0]) out = x;
    else mixture(x, sigma, out);
  };
  CHECK(said(calibrate(still_once, start, std::vector<Array>{z}, {.iterations = 0, .analytic_first_step = false}),
             "1 of 4 steps had nothing to be fitted to"));
  const auto without_one = [&](const Array& x, const Level<Array>& sigma, Array& out) {
    mixture(x, sigma, out);
    if (sigma[0] < 0.9 * start.levels[2] && x.cols() == z.cols()) out.col(0).setConstant(NAN);
  };
  CHECK(said(calibrate(without_one, start, of(mixture), {.iterations = 0}),
             "1 of 60 trajectories of the table to start from are not finite"));
  // One that is held out and lost has no distance, and leaves those of the others as they are.
  const auto last_lost = [&](const Array& x, const Level<Array>& sigma, Array& out) {
    mixture(x, sigma, out);
    if (sigma[0] < 0.9 * start.levels[2] && x.cols() == z.cols()) out.col(59).setConstant(NAN);
  };
  const Calibration lost = calibrate(last_lost, start, of(mixture), {.iterations = 0});
  const Array others = z.middleCols(45, 14),
              missed = sample(start, mixture, start.schedule(), others, {.analytic_first_step = true}).x -
                       taught(mixture, start.schedule(), others).states.back();
  CHECK(lost.start_rms == Approx(rms(missed)));

  // Ends fitted already are not nearer with steps fitted one by one, and notes are kept for who goes on.
  const Table fitted = calibrate(mixture, start, std::vector<Array>{z}, {.iterations = 6}).table;
  CalibrationProgress kept;
  const auto once = [&](const CalibrationProgress& p) {
    kept = p;
    return p.stage < 1;
  };
  const Trajectories teacher{taught(mixture, fitted.schedule(), z)};
  CHECK(said(calibrate(mixture, fitted, teacher, {.report = once}),
             "fitting the steps brought held-out trajectories no nearer"));
  CHECK(kept.notes.size() == 1);
  CHECK(calibrate(mixture, fitted, teacher, {.iterations = 1, .resume = kept}).notes == kept.notes);

  const auto broken = [](const Array& x, const Level<Array>&, Array& out) {
    out = Array::Constant(x.rows(), x.cols(), NAN);
  };
  CHECK(message_of([&] { calibrate(broken, start, of(mixture), {}); }) ==
        "the samples of the table to start from are not finite");
  CalibrationProgress hostile{.stage = 1, .table = start, .best = start};
  hostile.table.rows[0].weights = {1, 2, 3};
  CHECK_THAT(message_of([&] { calibrate(mixture, start, of(mixture), {.resume = hostile}); }),
             Catch::Contains("the number of Table::rows[0].weights is 3; allowed: 1 to 1"));
}
