// Calibration: the fitted table is closer to the teacher on samples it was not fitted to, the cost is as documented,
// and wrong input is rejected or does no harm.
#include "support/catch.hpp"
#include "support/laws.hpp"
#include "support/types.hpp"

#include <fewstep/fitting/calibrate.hpp>

#include <Eigen/Dense>

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

using Batches = std::vector<Array>;
using Trajectories = std::vector<TeacherTrajectory<Array>>;

const MixtureDenoiser& mixture = test::plane;
const Options afs{.analytic_first_step = true};

double rms(const Array& x) { return std::sqrt(x.square().mean()); }
std::vector<double> sample_squares(const Array& x) {
  const Array squares = x.square().colwise().sum();
  return {squares.data(), squares.data() + squares.size()};
}

/// Heun's method in `parts` steps for each step of the schedule, from unit noise.
template <class D>
TeacherTrajectory<Array> taught(const D& denoise, const Schedule& schedule, const Array& noise, std::size_t parts = 6) {
  return record_teacher(Heun{}, denoise, refined(schedule, static_cast<int>(parts)), Array(schedule[0] * noise),
                        {.stride = parts});
}

/// The ends of a table's run with an analytic first step, from unit noise.
Array ends(const Table& table, const Array& noise) { return sample(table, mixture, table.schedule(), noise, afs).x; }

bool has_note(const Calibration& made, const std::string& words) {
  return std::any_of(made.notes.begin(), made.notes.end(),
                     [&](const std::string& note) { return note.find(words) != std::string::npos; });
}

Table six_rows() { return tabulate(Ipndm{.order = 3}, karras({.steps = 6})); }
Table four_rows() { return tabulate(Ipndm{.order = 3}, karras({.steps = 4})); }

void fill_with_nan(const Array& x, const Level<Array>&, Array& out) { out = Array::Constant(x.rows(), x.cols(), NAN); }

/// The mixture with two batches of noise and their teacher.
struct Problem {
  Table start = six_rows();
  Batches noise{cloud(0, 150), cloud(150, 150)};
  Trajectories teacher{taught(mixture, start.schedule(), noise[0]), taught(mixture, start.schedule(), noise[1])};

  Calibration fit(const CalibrationOptions& options) const { return calibrate(mixture, start, teacher, options); }
};

}  // namespace

TEST_CASE("calibration: the fitted table is closer to the exact solution on unseen noise, reproducibly") {
  const Problem p;
  const Array unseen = cloud(5'000, 600);
  const Array exact = sample(Heun{}, mixture, karras({.steps = 200}), unseen).x;
  const auto distance = [&](const Table& t) { return rms(ends(t, unseen) - exact); };

  const Calibration steps = calibrate(mixture, p.start, p.noise, {.iterations = 0});
  CHECK(steps.steps_rms == steps.best_rms);
  CHECK(steps.best_rms < 0.8 * steps.start_rms);
  CHECK(distance(steps.table) < 0.8 * distance(p.start));
  const Calibration all = calibrate(mixture, p.start, p.noise, {.iterations = 6});
  CHECK(all.best_rms < 0.9 * steps.best_rms);
  CHECK(distance(all.table) < 0.9 * distance(steps.table));
  CHECK(calibrate(mixture, p.start, p.noise, {.iterations = 6}).table.levels == all.table.levels);
  CHECK(p.fit({.iterations = 6}).table.levels == all.table.levels);  // the same teacher, given

  // The estimate of the teacher's error, against a teacher with many more steps.
  const auto teacher_ends = [&](std::size_t parts) {
    return taught(mixture, p.start.schedule(), p.noise[0], parts).states.back();
  };
  const double median = std::sqrt(detail::median_of(sample_squares(teacher_ends(6) - teacher_ends(100))));
  CHECK(all.teacher_error > 0.4 * median);
  CHECK(all.teacher_error < 2.5 * median);

  // All samples in one batch are the same problem.
  const Calibration whole = calibrate(mixture, p.start, Batches{cloud(0, 300)}, {.iterations = 0});
  for (std::size_t i = 0; i < p.start.rows.size(); ++i)
    for (std::size_t k = 0; k < whole.table.rows[i].weights.size(); ++k)
      CHECK(whole.table.rows[i].weights[k] == Approx(steps.table.rows[i].weights[k]).epsilon(1e-6));

  int stages = 0;
  const Calibration stopped =
      calibrate(mixture, p.start, p.noise, {.report = [&](const CalibrationProgress&) { return ++stages < 2; }});
  CHECK(stages == 2);
  CHECK(stopped.best_rms == steps.best_rms);

  // From a table that leaves little to gain, with few samples, the result is no worse on the held-out ones.
  for (const std::size_t count : {4u, 12u}) {
    const Calibration few = calibrate(mixture, all.table, Batches{cloud(0, count)}, {.iterations = 2});
    const std::size_t fitted = count - count / 4;
    const Array z = cloud(fitted, count - fitted), target = taught(mixture, all.table.schedule(), z).states.back();
    const std::vector<double> first = sample_squares(ends(all.table, z) - target),
                              last = sample_squares(ends(few.table, z) - target);
    const double scale = (std::min)(detail::median_of(first), detail::median_of(last));
    CHECK(detail::cauchy_loss(last, scale) <= detail::cauchy_loss(first, scale));
    CHECK(few.start_median == Approx(std::sqrt(detail::median_of(first) / 2)));  // per number, of two
    CHECK(few.best_median == Approx(std::sqrt(detail::median_of(last) / 2)));
  }
}

TEST_CASE("calibration: a fit stopped at any stage and resumed gives the same table") {
  const Problem p;
  const Calibration all = p.fit({.iterations = 6}), steps = p.fit({.iterations = 0});
  for (const int stage : {0, 1, 3}) {
    CalibrationProgress kept;
    const auto until = [&](const CalibrationProgress& progress) {
      kept = progress;
      return progress.stage < stage;
    };
    p.fit({.iterations = 6, .report = until});
    CHECK(kept.stage == stage);
    const Calibration resumed = p.fit({.iterations = 6, .resume = kept});
    CHECK(resumed.table.levels == all.table.levels);
    CHECK(resumed.table.rows.back().weights == all.table.rows.back().weights);
    CHECK(resumed.start_rms == all.start_rms);
    CHECK(resumed.steps_rms == all.steps_rms);
    CHECK(resumed.best_rms == all.best_rms);
  }

  // The distances of a resumed table are measured, so a wrong figure cannot hide that it is worse than the start.
  Table worse = p.start;
  for (auto& row : worse.rows) {
    row.weights.resize(1);
    row.weights[0] *= 1.1;
  }
  const Calibration misled =
      p.fit({.iterations = 0, .resume = CalibrationProgress{.stage = 1, .table = worse, .best = worse}});
  CHECK(misled.table.rows[1].weights == p.start.rows[1].weights);
  CHECK(misled.best_rms == misled.start_rms);
  CHECK(misled.start_rms == all.start_rms);

  // The present table is continued, whichever was the best.
  const auto once_more = [&](const Table& best) {
    const CalibrationProgress kept{.stage = 1, .table = steps.table, .best = best};
    return p.fit({.iterations = 1, .resume = kept}).table;
  };
  CHECK(once_more(p.start).levels == once_more(steps.table).levels);
  CHECK(once_more(p.start).levels != p.start.levels);

  // A held-out trajectory whose teacher ends far away does not select another table, whichever way it moves.
  std::set<std::vector<double>> levels;
  for (const double away : {0., 100., -100.}) {
    Trajectories odd = p.teacher;
    odd[1].states.back().col(149) += away;
    CalibrationProgress from{.stage = 1, .table = steps.table, .best = steps.table};
    levels.insert(calibrate(mixture, p.start, odd, {.iterations = 6, .resume = from}).table.levels);
  }
  CHECK(levels.size() == 1);
}

TEST_CASE("calibration: final states are compared in the caller's features") {
  const Problem p;
  const auto clamped_twice = [](const Array& x) -> Array {  // and the first row counts more
    Array y(x.rows() + 1, x.cols());
    y << x.max(-0.5).min(0.5), 2 * x.row(0).max(-0.5).min(0.5);
    return y;
  };
  const Array z = cloud(225, 75), target = taught(mixture, p.start.schedule(), z).states.back();
  const auto held_out = [&](const Table& t, const auto& features) {
    const Array difference = features(ends(t, z)) - features(target);
    return rms(difference) * std::sqrt(static_cast<double>(difference.rows()) / 2);  // per number of the state
  };
  const Calibration whole = p.fit({.iterations = 6});
  CHECK(whole.best_rms == Approx(held_out(whole.table, [](const Array& x) { return x; })));
  const Calibration made = calibrate(mixture, p.start, p.teacher, {.iterations = 6}, clamped_twice);
  CHECK(made.start_rms == Approx(held_out(p.start, clamped_twice)));
  CHECK(made.best_rms == Approx(held_out(made.table, clamped_twice)));
  CHECK(made.best_rms < held_out(whole.table, clamped_twice));
  CHECK(made.best_rms <= made.steps_rms);

  const auto first_sample = [](const Array& x) -> Array { return x.col(0); };
  CHECK(message_of([&] { calibrate(mixture, p.start, p.teacher, {}, first_sample); }) ==
        "the number of samples of the end features is 1; allowed: 150, as of the state");
}

TEST_CASE("calibration: a table that ends at 0") {
  const Problem p;
  const Table start = tabulate(Ipndm{.order = 3}, karras({.steps = 6, .end = End::zero}));
  REQUIRE(start.rows.size() == 6);
  const Calibration made = calibrate(mixture, start, Batches{cloud(0, 150), cloud(150, 150)}, {.iterations = 2});
  CHECK(made.table.levels.back() == 0);
  CHECK(made.best_rms < 0.8 * made.start_rms);
  const Array z = cloud(5'000, 100), exact = sample(Heun{}, mixture, karras({.steps = 300}), z).x;
  const auto distance = [&](const Table& t) {
    return rms(sample(t, mixture, t.schedule(), z, {.analytic_first_step = true}).x - exact);
  };
  CHECK(distance(made.table) < 0.8 * distance(start));
}

TEST_CASE("calibration: non-finite samples are ignored") {
  const Table start = six_rows();
  const Array batch = cloud(0, 200);
  const Trajectories teacher{taught(mixture, start.schedule(), batch)};
  const double largest_held_out = batch.row(1).tail(50).maxCoeff();
  REQUIRE(batch.row(1).maxCoeff() > largest_held_out);
  const auto partial = [&](const Array& x, const Level<Array>& sigma, Array& out) {
    mixture(x, sigma, out);
    for (Eigen::Index b = 0; b < x.cols(); ++b)
      if (batch(1, b) > largest_held_out) out.col(b) = NAN;
  };
  const Calibration made = calibrate(partial, start, teacher, {.iterations = 3});
  CHECK(made.steps_rms < 0.8 * made.start_rms);
  CHECK(made.best_rms < 0.8 * made.start_rms);
  CHECK(made.best_median < 0.5 * made.start_median);
}

TEST_CASE("calibration: a non-finite sample is left out of all sums of a step") {
  // The second sixty samples repeat the first sixty until the model returns NaN for them: each step is fitted as to the
  // first sixty alone.
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
  CHECK(has_note(with, "60 of 160 trajectories of the starting table are not finite"));
  CHECK_FALSE(has_note(without, "not finite"));
}

TEST_CASE("calibration: equal slopes, whose Gram matrix has rank one, can be fitted") {
  const auto zero = [](const Array& x, const Level<Array>&, Array& out) { out = Array::Zero(x.rows(), x.cols()); };
  const Calibration made = calibrate(zero, tabulate(Euler{}, karras({.steps = 4})), Batches{cloud(0, 20)},
                                     {.iterations = 2, .analytic_first_step = false});
  CHECK(made.best_rms <= made.start_rms);
  CHECK(made.best_rms < 1e-6);
}

TEST_CASE("calibration: defaults") {
  const CalibrationOptions options;
  CHECK(options.ridge == 1e-6);
  CHECK(options.iterations == 5);
  CHECK(options.tries == 8);
  CHECK(options.patience > 1'000);
}

TEST_CASE("calibration: wrong input is rejected before the teacher runs") {
  const Table start = tabulate(Euler{}, karras({.steps = 4}));
  const Batches noise{cloud(0, 20)};
  int calls = 0;
  const auto counted = [&](const Array& x, const Level<Array>& t, Array& out) {
    ++calls;
    mixture(x, t, out);
  };
  const auto refusal = [&](const CalibrationOptions& options) {
    return message_of([&] { calibrate(counted, start, noise, options); });
  };
  CHECK(refusal({.held_out = 1}) == "held_out is 1; allowed: numbers between 0 and 1");
  CHECK(refusal({.held_out = 0.01}) ==
        "held_out is 0.01; allowed: shares that leave 2 or more of 20 trajectories to fit to and 1 or more held out");
  CHECK(refusal({.ridge = -1}) == "ridge is -1; allowed: 0 and positive numbers");
  CHECK(refusal({.tries = 0}) == "tries is 0; allowed: 1 or more");
  CHECK(refusal({.patience = 0}) == "patience is 0; allowed: 1 or more");
  CHECK(refusal({.teacher_steps = 0}) == "teacher_steps is 0; allowed: 2 or more");
  for (const CalibrationOptions& o :
       {CalibrationOptions{.held_out = 2}, {.held_out = 0.97}, {.held_out = NAN}, {.ridge = NAN}})
    CHECK_THROWS_AS(calibrate(counted, start, noise, o), std::invalid_argument);

  const auto refused_noise = [&](const Batches& batches) {
    return message_of([&] { calibrate(counted, start, batches); });
  };
  CHECK_THAT(refused_noise({}), Catch::Contains("number of batches of noise is 0"));
  CHECK_THAT(refused_noise({cloud(0, 2)}), Catch::Contains("number of trajectories is 2"));

  const auto refused_table = [&](const Table& table) { return message_of([&] { calibrate(counted, table, noise); }); };
  CHECK_THAT(refused_table(tabulate(Dpmpp{}, karras({.steps = 4}))),
             Catch::Contains("target is denoised; allowed: slope"));
  CHECK_THAT(refused_table({.levels = {4, 2}, .rows = {{.weights = {-1}, .midpoints = {{2, -2, -1}}}}}),
             Catch::Contains("one with midpoints"));
  Table odd = start;
  odd.rows[1].carry = 0.9;
  CHECK_THAT(refused_table(odd), Catch::Contains("carry of the table is 0.9; allowed: 1"));
  CHECK(calls == 0);

  CHECK_NOTHROW(require_calibratable(start, 4, {.held_out = 0.5}));  // 2 are enough to fit to
  CHECK_THAT(message_of([&] { calibrate(fill_with_nan, start, noise); }),
             Catch::Contains("teacher's samples are not finite"));
  const Trajectories longer{taught(mixture, karras({.steps = 5}), noise[0])};
  CHECK(message_of([&] { calibrate(mixture, start, longer, {}); }) ==
        "the number of states of the teacher is 6; allowed: 5, as the table's levels");
  const Trajectories teacher{taught(mixture, start.schedule(), noise[0])};
  CHECK(message_of([&] { calibrate(fill_with_nan, start, teacher, {}); }) ==
        "the starting table's samples are not finite");
}

TEST_CASE("calibration: a state that does not fit the table is not resumed") {
  const Table start = tabulate(Euler{}, karras({.steps = 4})), five = tabulate(Euler{}, karras({.steps = 5})),
              lower = tabulate(Euler{}, karras({.steps = 4, .sigma_max = 20})),
              higher = tabulate(Euler{}, karras({.steps = 4, .sigma_min = 0.1}));
  const Trajectories teacher{taught(mixture, start.schedule(), cloud(0, 20))};
  const auto refusal = [&](const CalibrationProgress& kept) {
    return message_of([&] { calibrate(mixture, start, teacher, {.resume = kept}); });
  };
  CHECK_THAT(refusal({.stage = 1, .table = five, .best = five}), Catch::Contains("resumed table is 5; allowed: 4"));
  CHECK_THAT(refusal({.stage = 1, .table = start, .best = five}), Catch::Contains("resumed table is 5; allowed: 4"));
  CHECK_THAT(refusal({.stage = 1, .table = tabulate(Dpmpp{}, karras({.steps = 4})), .best = start}),
             Catch::Contains("target is denoised; allowed: slope"));
  CHECK_THAT(refusal({.stage = 1, .table = start, .best = start, .damping = 0}),
             Catch::Contains("the resumed damping is 0; allowed: positive"));
  CHECK_THAT(refusal({.stage = 1, .table = start, .best = lower}),
             Catch::Contains("the first level of a resumed table is 20"));
  CHECK_THAT(refusal({.stage = 1, .table = start, .best = higher}),
             Catch::Contains("the last level of a resumed table is 0.1"));
  CalibrationProgress hostile{.stage = 1, .table = start, .best = start};
  hostile.table.rows[0].weights = {1, 2, 3};
  CHECK_THAT(refusal(hostile), Catch::Contains("the number of Table::rows[0].weights is 3; allowed: 1 to 1"));
}

TEST_CASE("calibration: the linear solver agrees with Eigen's") {
  using detail::SymmetricMatrix;
  const auto filled = [](const Eigen::MatrixXd& m) {
    SymmetricMatrix a(static_cast<std::size_t>(m.rows()));
    for (std::size_t i = 0; i < a.size(); ++i)
      for (std::size_t j = 0; j <= i; ++j) a(i, j) = m(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(j));
    return a;
  };
  const auto solved = [&](const Eigen::MatrixXd& m, const Eigen::VectorXd& b) {
    const std::vector<double> x = solve_symmetric(filled(m), {b.data(), b.data() + b.size()});
    return Eigen::VectorXd(Eigen::Map<const Eigen::VectorXd>(x.data(), b.size()));
  };
  for (const Eigen::Index n : {1, 2, 3, 7, 40}) {
    INFO("size " << n);
    // Scales of 1e-4 to 1e4 in an order that needs pivoting.
    Eigen::VectorXd scales(n);
    for (Eigen::Index i = 0; i < n; ++i) scales(i) = std::pow(10., 4 * std::sin(static_cast<double>(3 * i)));
    const Eigen::MatrixXd half = scales.asDiagonal() * Eigen::MatrixXd::Random(n, 2 * n);
    const Eigen::MatrixXd matrix = half * half.transpose();
    const Eigen::VectorXd right = matrix * Eigen::VectorXd::Random(n);
    const Eigen::VectorXd x = solved(matrix, right), expected = matrix.ldlt().solve(right);
    CHECK((x - expected).norm() < 1e-6 * expected.norm());
    CHECK((matrix * x - right).norm() < 1e-12 * right.norm());
  }
  // An unknown that appears in no equation is 0, the others are solved for.
  Eigen::MatrixXd singular = Eigen::MatrixXd::Zero(3, 3);
  singular(0, 0) = 2;
  singular(2, 2) = 8;
  singular(2, 0) = singular(0, 2) = 1;
  CHECK((solved(singular, Eigen::Vector3d(4, 0, 17)) - Eigen::Vector3d(1, 0, 2)).norm() < 1e-14);
  // A pivot of 1, and the order of pivots: the largest first.
  const Eigen::Matrix2d unit_pivot{{1, 0.5}, {0.5, 1}};
  CHECK((solved(unit_pivot, Eigen::Vector2d(2, 2.5)) - Eigen::Vector2d(1, 2)).norm() < 1e-14);
  SymmetricMatrix diagonal = filled(Eigen::Vector3d(1, 3, 2).asDiagonal());
  CHECK(detail::factor_ldlt(diagonal) == std::vector<std::size_t>{1, 2, 0});
  // Non-finite numbers do not pass unnoticed.
  for (const double bad : {NAN, INFINITY}) {
    Eigen::MatrixXd matrix = Eigen::MatrixXd::Identity(3, 3);
    matrix(2, 1) = matrix(1, 2) = bad;
    CHECK_FALSE(solved(matrix, Eigen::Vector3d(1, 1, 1)).allFinite());
    CHECK_FALSE(solved(Eigen::MatrixXd::Identity(3, 3), Eigen::Vector3d(1, bad, 1)).allFinite());
  }

  detail::NormalEquations equations(2);
  equations.matrix = filled((Eigen::Matrix2d() << 2, 3, 3, 7).finished());
  equations.right = {5, 11};
  CHECK(equations.error({1, -2}) == Approx(2 - 2 * 2 * 3 + 4 * 7 - 2 * (5 - 2 * 11)));
  CHECK(equations.error({3}) == Approx(9 * 2 - 2 * 3 * 5));
}

TEST_CASE("calibration: the ridge of a step and the damping of an iteration are added to the diagonal") {
  using detail::TableParameter;
  detail::NormalEquations equations(2);
  equations.matrix(0, 0) = 1;
  equations.matrix(1, 1) = 3;
  equations.right = {1, 3};
  const std::vector<double> weights = detail::best_step_weights({equations, equations}, 0.1);
  REQUIRE(weights.size() == 2);
  CHECK(weights[0] == Approx(1 / (1 + 0.1 * 2)));  // 2: the mean of the diagonal
  CHECK(weights[1] == Approx(3 / (3 + 0.1 * 2)));

  double damping = 0.25;
  const auto step = detail::damped_step(
      four_rows(), {{TableParameter::weight, 0, 0, 0}, {TableParameter::weight, 1, 0, 0}}, equations, damping);
  CHECK(step.amounts[0] == Approx(1 / 1.25));
  CHECK(step.amounts[1] == Approx(1 / 1.25));
  CHECK(damping == 0.25);
}

TEST_CASE("calibration: an accepted step divides the damping by 10, down to a bound") {
  const Problem p;
  const Table fitted = p.fit({.iterations = 1}).table;
  const auto damping_after = [&](double damping) {
    double last = 0;
    const auto keep = [&](const CalibrationProgress& progress) {
      last = progress.damping;
      return true;
    };
    const CalibrationProgress from{.stage = 1, .table = fitted, .best = fitted, .damping = damping};
    p.fit({.iterations = 1, .tries = 1, .report = keep, .resume = from});
    return last;
  };
  CHECK(damping_after(1) == Approx(1e-3));  // an iteration begins with 0.01 or less
  CHECK(damping_after(1e-12) == Approx(1e-12));
}

TEST_CASE("calibration: statistics of distances") {
  CHECK(detail::cauchy_loss(std::vector<double>{0, 18}, 2) == Approx(std::log(2.)));
  CHECK(detail::cauchy_weight(18, 2) == Approx(0.5));
  CHECK(detail::median_of({5, 1, 3}) == 3);
  CHECK(detail::median_of({5, 1, 3, 4, 2}) == 3);
  CHECK(detail::median_of({4, 1, 3, 2}) == 3);
  // A method of second order with half the steps has four times the error: the ends differ by three times the error.
  CHECK(teacher_error<Array>(Array::Zero(2, 5), 6, Array::Constant(2, 5, 3), 3, 2) == Approx(1));
}

TEST_CASE("calibration: all numbers of a table but the given ones are parameters") {
  using detail::TableParameter;
  const Table table = four_rows();
  for (const bool analytic : {true, false}) {
    std::set<std::tuple<int, std::size_t, std::size_t>> all, expected;
    for (const TableParameter& p : detail::table_parameters(table, analytic))
      CHECK(all.insert({p.kind, p.row, p.term}).second);
    for (std::size_t row = 0; row < table.rows.size(); ++row) {
      for (std::size_t term = 0; term < table.rows[row].weights.size(); ++term)
        expected.insert({TableParameter::weight, row, term});
      if (row > 0) expected.insert({TableParameter::level, row, 0});
      if (row > 0 || !analytic) expected.insert({TableParameter::sigma_scale, row, 0});
    }
    CHECK(all == expected);
  }
}

TEST_CASE("calibration: derivatives of final states, their normal equations and Broyden's update") {
  using Runs = std::vector<detail::TableRun<Array>>;
  Table table = four_rows();
  table.rows[1].sigma_scale = 1.1;
  const std::size_t fitted = 12;
  const Batches z{cloud(0, 8), cloud(8, 8)};
  const Trajectories teacher{taught(mixture, table.schedule(), z[0]), taught(mixture, table.schedule(), z[1])};
  detail::DenoiserSlopes<Array, const MixtureDenoiser&> model(mixture);
  detail::TableRunner<Array> runner({&model}, teacher, true, [](const Array& x) { return x; });
  const Runs runs = runner.run_all(table);
  const std::vector<detail::TableParameter> parameters = detail::table_parameters(table, true);
  detail::EndJacobian<Array> jacobian(table, runner, runs, parameters, {0, 1});
  const detail::EndJacobian<Array> of_second(table, runner, runs, parameters, {1});
  for (std::size_t i = 0; i < parameters.size(); ++i) CHECK((of_second(0, i) == jacobian(1, i)).all());

  // A column is the change of the ends for a thousandth of a parameter, times a thousand.
  for (std::size_t b = 0; b < z.size(); ++b)
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      Table moved = table;
      detail::shift(moved, parameters[i], 1e-3);
      const Array change = 1e3 * (ends(moved, z[b]) - ends(table, z[b]));
      CHECK(change.abs().maxCoeff() > 1e-6);
      CHECK((jacobian(b, i) - change).abs().maxCoeff() < 1e-8);
    }

  // The normal equations, computed sample by sample. Held-out samples and those without a derivative do not count.
  auto broken = jacobian;
  broken(0, 2)(1, 0) = NAN;
  broken(1, 0)(0, 1) = INFINITY;
  const std::vector<double> squares = runner.squared_distances(runs, 0, fitted);
  const auto equations = detail::end_equations(runner, runs, broken, parameters.size(), squares, fitted, 0.01);
  const auto size = static_cast<Eigen::Index>(parameters.size());
  Eigen::MatrixXd matrix = Eigen::MatrixXd::Zero(size, size);
  Eigen::VectorXd right = Eigen::VectorXd::Zero(size);
  for (Eigen::Index sample = 0; sample < 12; ++sample) {
    if (sample == 0 || sample == 9) continue;
    const auto b = static_cast<std::size_t>(sample / 8);
    const double weight = 1 / (1 + squares[static_cast<std::size_t>(sample)] / 0.09);
    Eigen::MatrixXd rows(2, size);
    for (Eigen::Index i = 0; i < size; ++i) rows.col(i) = broken(b, static_cast<std::size_t>(i)).col(sample % 8);
    matrix += weight * rows.transpose() * rows;
    right -= weight * rows.transpose() * (runs[b].states.back() - teacher[b].states.back()).col(sample % 8).matrix();
  }
  for (Eigen::Index i = 0; i < size; ++i) {
    const auto row = static_cast<std::size_t>(i);
    CHECK(std::abs(equations.right[row] - right(i)) < 1e-10 * right.norm());
    for (Eigen::Index j = 0; j < size; ++j)
      CHECK(std::abs(equations.matrix(row, static_cast<std::size_t>(j)) - matrix(i, j)) < 1e-10 * matrix.norm());
  }

  // After the update the derivatives predict what the step did to the ends.
  std::vector<double> step, diagonal;
  Table moved = table;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    step.push_back(-0.02 + 0.05 * static_cast<double>(i) / static_cast<double>(parameters.size() - 1));
    diagonal.push_back(equations.matrix(i, i));
    detail::shift(moved, parameters[i], step[i]);
  }
  const Runs moved_runs = runner.run_all(moved);
  jacobian.update(runner, runs, moved_runs, step, diagonal);
  for (std::size_t b = 0; b < z.size(); ++b) {
    Array predicted = Array::Zero(2, 8);
    for (std::size_t i = 0; i < parameters.size(); ++i) predicted += step[i] * jacobian(b, i);
    CHECK((predicted - (moved_runs[b].states.back() - runs[b].states.back())).abs().maxCoeff() < 1e-12);
  }
}

TEST_CASE("calibration: steps with slopes of 0 become Euler steps, tiny slopes are fitted") {
  for (const double slope : {0., 1e-6}) {
    const auto nearly_still = [&](const Array& x, const Level<Array>&, Array& out) { out = (1 - slope) * x; };
    Table table = tabulate(Euler{}, karras({.steps = 3}));
    const auto trajectory = taught(nearly_still, table.schedule(), cloud(0, 20));
    detail::DenoiserSlopes<Array, decltype(nearly_still)&> model(nearly_still);
    const Trajectories teacher{trajectory};
    detail::TableRunner<Array> runner({&model}, teacher, false, [](const Array& x) { return x; });
    auto runs = runner.run_all(table);
    for (Table::Row& row : table.rows) row.weights = {7};
    CHECK(detail::fit_steps(table, runner, runs, 15, 3, 1e-6) == (slope > 0 ? 0 : 3));
    for (std::size_t i = 0; i < 3; ++i)
      if (slope == 0) CHECK(table.rows[i].weights == std::vector<double>{table.levels[i + 1] - table.levels[i]});
    CHECK((runs[0].states.back() - trajectory.states.back()).abs().maxCoeff() < 1e-9);
  }
}

TEST_CASE("calibration: the number of evaluations is as documented") {
  const Table start = six_rows();
  std::ptrdiff_t evaluated = 0;  // samples
  const auto counted = [&](const Array& x, const Level<Array>& sigma, Array& out) {
    evaluated += x.cols();
    mixture(x, sigma, out);
  };
  const Batches batches{cloud(0, 40), cloud(40, 40)};
  Trajectories teacher;
  for (const Array& z : batches) teacher.push_back(taught(counted, start.schedule(), z));
  const std::ptrdiff_t teaching = std::exchange(evaluated, 0);
  CHECK(teaching == 80 * 2 * 6 * 6);
  calibrate(counted, start, teacher, {.iterations = 0});
  CHECK(evaluated == 80 * (5 + 5));  // the start's run, and the first stage
  CHECK(static_cast<double>(teaching + evaluated) < 1.2 * static_cast<double>(teaching));
  const std::ptrdiff_t student = std::exchange(evaluated, 0);
  // An iteration with one try: for each parameter the rows after it; four times the same for three parameters on one
  // batch, to find the increment; the try's run.
  const Table steps = calibrate(mixture, start, teacher, {.iterations = 0}).table;
  const auto parameters = detail::table_parameters(steps, true);
  const auto reruns = [&](const detail::TableParameter& p) {
    return static_cast<std::ptrdiff_t>(steps.rows.size() - p.row - (p.kind == detail::TableParameter::weight ? 1 : 0));
  };
  std::ptrdiff_t derivatives = 0, probes = 0;
  for (const detail::TableParameter& p : parameters) derivatives += reruns(p);
  for (const std::size_t k : {1u, 3u, 5u}) probes += 4 * reruns(parameters[k * parameters.size() / 6]);
  calibrate(counted, start, teacher, {.iterations = 1, .tries = 1});
  CHECK(std::exchange(evaluated, 0) == student + 80 * (derivatives + 5) + 40 * probes);
  const auto tried = [&](int tries, int patience) {
    evaluated = 0;
    calibrate(counted, start, teacher, {.iterations = 1, .tries = tries, .patience = patience});
    return (std::exchange(evaluated, 0) - student - 80 * derivatives - 40 * probes) / (80 * 5);
  };
  CHECK(tried(8, 8) == 8);
  CHECK(tried(60, 3) < 60);
  CHECK(tried(60, 1) < tried(60, 3));
  calibrate(counted, start, batches, {.iterations = 0});
  CHECK(evaluated == teaching + 40 * 2 * 3 * 6 + student);  // the first batch with half the steps: the teacher's error
}

TEST_CASE("calibration: notes report problems of a fit") {
  const Table start = four_rows();
  const Array z = cloud(0, 60);
  const Trajectories teacher{taught(mixture, start.schedule(), z)};
  const MixtureDenoiser gaussian({.weights = {1}, .means = {{1, 0}}, .deviations = {0.5}});
  CHECK(calibrate(gaussian, start, Batches{z}, {.iterations = 1}).notes.empty());
  CHECK(has_note(calibrate(mixture, start, Batches{cloud(0, 12)}, {.iterations = 1}),
                 "3 of 12 trajectories are held out to select the best table: too few to be certain"));
  CHECK(calibrate(mixture, start, Batches{cloud(0, 40)}, {.iterations = 0}).notes.empty());  // 10 are enough

  const auto still = [](const Array& x, const Level<Array>&, Array& out) { out = x; };  // all slopes are 0
  CHECK(has_note(calibrate(still, start, Batches{z}, {.iterations = 1, .analytic_first_step = false}),
                 "4 of 4 steps had no slopes to fit and became Euler steps"));
  const auto still_at_first = [&](const Array& x, const Level<Array>& sigma, Array& out) {
    if (sigma[0] > 0.9 * start.levels[0]) out = x;
    else mixture(x, sigma, out);
  };
  CHECK(has_note(calibrate(still_at_first, start, Batches{z}, {.iterations = 0, .analytic_first_step = false}),
                 "1 of 4 steps had no slopes to fit"));

  const auto without = [&](Eigen::Index sample) {
    return [&, sample](const Array& x, const Level<Array>& sigma, Array& out) {
      mixture(x, sigma, out);
      if (sigma[0] < 0.9 * start.levels[2]) out.col(sample).setConstant(NAN);
    };
  };
  CHECK(has_note(calibrate(without(0), start, teacher, {.iterations = 0}),
                 "1 of 60 trajectories of the starting table are not finite"));
  // A lost held-out sample has no distance, and leaves the other distances as they are.
  const Calibration lost = calibrate(without(59), start, teacher, {.iterations = 0});
  const Array finite = z.middleCols(45, 14);
  CHECK(lost.start_rms == Approx(rms(ends(start, finite) - taught(mixture, start.schedule(), finite).states.back())));

  // Steps fitted one by one are worse than a table whose ends are fitted already; notes survive a resumption.
  const Table fitted = calibrate(mixture, start, Batches{z}, {.iterations = 6}).table;
  CalibrationProgress kept;
  const auto once = [&](const CalibrationProgress& p) {
    kept = p;
    return p.stage < 1;
  };
  const Trajectories own{taught(mixture, fitted.schedule(), z)};
  CHECK(has_note(calibrate(mixture, fitted, own, {.report = once}),
                 "fitting the steps did not lower the held-out loss; the iterations began with the starting table"));
  CHECK(kept.notes.size() == 1);
  const Calibration resumed = calibrate(mixture, fitted, own, {.iterations = 1, .resume = kept});
  CHECK(has_note(resumed, kept.notes[0]));
  // Of the 15 held-out trajectories one ends in the other component.
  CHECK(has_note(resumed, "one of 15 held-out trajectories has 62% of their squared distance"));
  CHECK(resumed.notes.size() == 2);
  // Among few held-out trajectories it is no news that one decides.
  const Calibration few = calibrate(mixture, fitted, own, {.held_out = 0.1, .iterations = 0});
  CHECK_FALSE(has_note(few, "of their squared distance"));
  CHECK(has_note(few, "6 of 60 trajectories are held out"));
}
