// Tables of a solver's numbers: every solver is one, AdaSDE's published one is, and calibration improves them.
#include "support/catch.hpp"
#include "support/laws.hpp"
#include "support/types.hpp"

#include <fewstep/eigen/calibrate.hpp>
#include <fewstep/eigen/laws.hpp>
#include <fewstep/io/table_file.hpp>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

using namespace fewstep;
using test::Array;
using test::message_of;

namespace {

Array cloud(std::uint64_t first, std::size_t count) {
  std::vector<std::uint64_t> seeds(count);
  for (std::size_t i = 0; i < count; ++i) seeds[i] = first + i;
  return noise(seeds, 2);
}
const MixtureDenoiser mixture({.weights = {0.5, 0.5}, .means = {{1, 0}, {-1, 0.5}}, .deviations = {0.2, 0.3}});
/// A third of the way, said sample by sample.
struct Third {
  static constexpr bool per_sample = true;
  template <class X>
  void operator()(const Step<X>&, const Features<X>*, Prediction<X>& out) const { out.ratio.each(3).setConstant(1. / 3); }
};
double rms(const Array& x) { return std::sqrt(x.square().colwise().sum().mean()); }

}  // namespace

TEST_CASE("every solver that evaluates at levels of its own is a table") {
  const laws::TwoPeaks peaks;
  const auto denoise = [&](double x, double sigma) { return peaks(x, sigma); };
  int tables = 0;
  for (const auto& configuration : test::configurations<double>())
    for (const auto& [name, make] : test::schedules())
      for (const int steps : {1, 2, 5}) {
        const std::string& label = configuration.label;
        const AnySolver<double>& solver = configuration.solver;
        INFO(label << ", " << name << ", " << steps << " steps");
        const Schedule schedule = make(steps, End::sigma_min);
        if (label.starts_with("heun") || label.starts_with("plms") || label.starts_with("pndm")) {  // they evaluate at a level twice
          if (steps > 1) CHECK_THAT(message_of([&] { tabulate(solver, schedule); }), Catch::Contains("less than the level before it"));
          continue;
        }
        const Table table = tabulate(solver, schedule);
        const auto plain = sample(solver, denoise, schedule, 0.7), tabled = sample(table, denoise, table.schedule(), 0.7);
        CHECK(tabled.evaluations == plain.evaluations);
        const double widest = name == "huge and tiny" ? 1e-6 : 1e-9;  // weights of slopes at low levels are sums of large numbers
        CHECK(std::abs(tabled.x - plain.x) <= widest * std::max(1., std::abs(plain.x)));
        if (solver.evaluations() > 1 || (label.starts_with("unipc") && solver.target() == Target::slope)) continue;
        const Options afs{.analytic_first_step = true};
        CHECK(std::abs(sample(table, denoise, table.schedule(), 0.7, afs).x - sample(solver, denoise, schedule, 0.7, afs).x) <= widest * 10);
        ++tables;
      }
  CHECK(tables > 500);
}

TEST_CASE("AMED with constants is a table: AdaSDE's published numbers") {
  // Of its last log line, CIFAR-10 at 5 evaluations: ratios, clocks and directions on time_uniform, its noise being next to none.
  const TablePredictor published{{{0.2477, 0.999, 0.808}, {0.3878, 1.004, 0.961}, {0.1563, 1.001, 0.926}}};
  const Schedule schedule = time_uniform({.steps = 3});
  const AmedSolver solver{published};
  const Table table = tabulate(solver, schedule);
  REQUIRE(table.rows.size() == 6);
  CHECK(table.rows[1].clock == Approx(0.808));
  CHECK(table.rows[5].clock == Approx(0.926));
  const Array z = cloud(1, 3);
  for (const bool afs : {false, true}) {
    const Array one = sample(solver, mixture, schedule, z, {.analytic_first_step = afs}).x;
    const auto other = sample(table, mixture, table.schedule(), z, {.analytic_first_step = afs});
    CHECK((one - other.x).abs().maxCoeff() <= 1e-11);
    CHECK(other.evaluations == (afs ? 5 : 6));
  }
}

TEST_CASE("the laws hold for a table on its own schedule") {
  const Table table = tabulate(Ipndm{.order = 3}, laws::detail::grid());
  CHECK(laws::purity<Array>(table) == "");
  CHECK(laws::batch<Array>(table) == "");
  CHECK(laws::weights_alone<Array>(table) == "");
  CHECK(laws::resume<double>(table) == "");
}

TEST_CASE("on other levels a table of slopes is what its weights mean there") {
  // iPNDM's weights go with the step alone: its table of one schedule is iPNDM on any other of as many steps.
  const Schedule own = karras({.steps = 4}), other = log_uniform({.steps = 4});
  const Array z = cloud(1, 3);
  const Table table = tabulate(Ipndm{.order = 3}, own);
  CHECK((sample(table, mixture, other, z).x - sample(Ipndm{.order = 3}, mixture, other, z).x).abs().maxCoeff() <= 1e-12);
  CHECK((sample(Amed{table, Third{}}, mixture, time_uniform({.steps = 2}), z).x - sample(Amed{Ipndm{.order = 3}, Third{}}, mixture, time_uniform({.steps = 2}), z).x).abs().maxCoeff() <= 1e-12);
  // Images have weights that do not: the numbers stay.
  const Table images = tabulate(Dpmpp{.order = 1}, own);
  const auto constant = [](double, double) { return 0.3; };
  CHECK(sample(images, constant, other, 1.).x == Approx(sample(images, constant, own, other[0] / own[0]).x));
  // A midpoint stays where it is, and counts as the step does.
  const Table midpoint{.levels = {4, 2}, .rows = {{.weights = {-1}, .midpoints = {{3, -1, -1}}}}};
  const auto slope = [](double x, double sigma) { return x - sigma * (sigma + 1); };  // sigma + 1
  CHECK(sample(midpoint, slope, Schedule({4, 2}), 0.).x == Approx(-5 - 4));
  CHECK(sample(midpoint, slope, Schedule({4, 1}), 0.).x == Approx(-1.5 * (5 + 4)));
}

TEST_CASE("AMED over a table: nothing corrected, the table; corrected, odds and factors") {
  Table table = tabulate(Ipndm{.order = 3}, karras({.steps = 6}));
  for (std::size_t i = 0; i < 6; ++i) table.rows[i].clock = 1 + 0.02 * static_cast<double>(i), table.rows[i].weights[0] *= 1.03;
  const Array z = cloud(1, 3);
  const Schedule schedule = every_second_level(table);
  REQUIRE(schedule.steps() == 3);
  for (const bool afs : {false, true}) {
    const Options options{.analytic_first_step = afs};
    const auto plain = sample(table, mixture, table.schedule(), z, options);
    const auto plugged = sample(over_table(table, FixedRatio{0.5}), mixture, schedule, z, options);
    CHECK((plain.x - plugged.x).abs().maxCoeff() <= 1e-12);
    CHECK(plugged.evaluations == plain.evaluations);
  }
  const Step<double> n{4., 1., 1, 2};
  Prediction<double> out;
  const TablePredictor before{{{}, {0.25, 1.1, 0.9}}}, correction{{{}, {0.6, 1.2, 0.8}}};
  Around{before, correction}(n, static_cast<const Features<double>*>(nullptr), out);
  CHECK(out.ratio == Approx(1. / 3));  // odds of 1/3 and 3/2
  CHECK(out.direction == Approx(1.32));
  CHECK(out.clock == Approx(0.72));
  Around{before, FixedRatio{}}(n, static_cast<const Features<double>*>(nullptr), out);
  CHECK(out.ratio == Approx(0.25));

  table.rows.pop_back();
  table.levels.pop_back();
  CHECK_THAT(message_of([&] { over_table(table, FixedRatio{}); }), Catch::Contains("number of rows of Table is 5; allowed: even numbers"));
  CHECK_THAT(message_of([&] { Around{FixedRatio{2}, FixedRatio{}}.validate(); }), Catch::Contains("FixedRatio::ratio is 2"));
  CHECK_THAT(message_of([&] { Around{FixedRatio{}, FixedRatio{3}}.validate(); }), Catch::Contains("FixedRatio::ratio is 3"));
}

TEST_CASE("midpoints side by side: Heun's method, the midpoint rule, and evaluations in all and in turn") {
  // Heun's method as a table: a midpoint at the right end. The mean of it and the midpoint rule: two at once.
  const Schedule schedule = karras({.steps = 4});
  Table heun{.levels = schedule.levels()}, both = heun;
  for (std::size_t i = 0; i < 4; ++i) {
    const double t = schedule[i], s = schedule[i + 1], h = s - t, mid = std::sqrt(t * s);
    heun.rows.push_back({.weights = {h / 2}, .midpoints = {{s, h, h / 2}}});
    both.rows.push_back({.weights = {h / 4}, .midpoints = {{s, h, h / 4}, {mid, mid - t, h / 2}}});
  }
  const Array z = cloud(1, 3);
  for (const bool afs : {false, true}) {
    const Options options{.analytic_first_step = afs};
    const auto one = sample(Heun{}, mixture, schedule, z, options), other = sample(heun, mixture, schedule, z, options), two = sample(both, mixture, schedule, z, options);
    CHECK((one.x - other.x).abs().maxCoeff() <= 1e-12);
    CHECK(one.evaluations == other.evaluations);
    CHECK(other.evaluations == evaluations(heun, schedule, options));
    CHECK(two.evaluations == (afs ? 11 : 12));
    CHECK(two.evaluations == evaluations(both, schedule, options));
  }
  // What is asked of one step: it adds itself to what is kept; of a schedule that is too long, which step() refuses, no row is read.
  std::size_t kept = 2;
  CHECK(both.evaluations(kept, 1, true) == 3);
  CHECK(kept == 3);
  CHECK(both.evaluations(kept, 5, false) == 1);
  CHECK(kept == 3);
  // One step of it is the mean of one step of each.
  const Schedule step({schedule[0], schedule[1]});
  Table one = both;
  one.levels.resize(2);
  one.rows.resize(1);
  const Array mean = (sample(Heun{}, mixture, step, z).x + sample(AmedSolver{FixedRatio{0.5}}, mixture, step, z).x) / 2;
  CHECK((sample(one, mixture, step, z).x - mean).abs().maxCoeff() <= 1e-12);
  CHECK(both.evaluations() == 3);
  CHECK(both.rounds() == 8);
  CHECK(tabulate(Euler{}, schedule).rounds() == 4);
  // The network is told of another level, the state keeps a part of its own.
  one.rows[0] = {.carry = 0.9, .weights = {-1}, .midpoints = {{10, -20, -30, 0.8, 1.1}}};
  const double t = schedule[0], x = 2;
  const auto known = [](double v, double sigma) { return 0.3 * v + sigma; };
  const double m0 = (x * t - known(x * t, t)) / t, y = 0.8 * x * t - 20 * m0, m1 = (y - known(y, 11)) / 10;
  CHECK(sample(one, known, step, x).x == Approx(0.9 * x * t - m0 - 30 * m1).epsilon(1e-12));

  CHECK_THAT(message_of([&] { calibrate(mixture, heun, std::vector<Array>{cloud(0, 20)}); }), Catch::Contains("one with midpoints"));
  const auto path = std::filesystem::temp_directory_path() / "fewstep_midpoints_test.json";
  io::write_table(path, {both});
  CHECK((sample(io::read_table(path).table, mixture, schedule, z).x - sample(both, mixture, schedule, z).x).abs().maxCoeff() == 0);
  std::filesystem::remove(path);
  for (const auto& [change, text] : {std::pair<Table::Midpoint, const char*>{{0, 1, 1}, "midpoints.level is 0"}, {{1, NAN, 1}, "midpoints' weights is nan"},
                                     {{1, 1, INFINITY}, "midpoints' weights is inf"}, {{1, 1, 1, NAN}, "midpoints' weights is nan"}, {{1, 1, 1, 1, -1}, "midpoints.clock is -1"}}) {
    Table bad = both;
    bad.rows[1].midpoints[0] = change;
    CHECK_THAT(message_of([&] { bad.validate(); }), Catch::Contains(std::string("rows[1].") + text));
  }
}

TEST_CASE("a table that is none is refused by row and number") {
  const auto refusal = [](auto change) {
    Table t = tabulate(Euler{}, karras({.steps = 3}));
    change(t);
    return message_of([&] { t.validate(); });
  };
  CHECK_THAT(refusal([](Table& t) { t.rows.clear(); }), Catch::Contains("number of rows of Table is 0"));
  CHECK_THAT(refusal([](Table& t) { t.levels.pop_back(); }), Catch::Contains("number of levels of Table is 3; allowed: 4"));
  CHECK_THAT(refusal([](Table& t) { t.levels = {1, 2, 3, 4}; }), Catch::Contains("increasing"));
  CHECK_THAT(refusal([](Table& t) { t.rows[1].carry = NAN; }), Catch::Contains("rows[1].carry is nan"));
  CHECK_THAT(refusal([](Table& t) { t.rows[0].carry = NAN; }), Catch::Contains("rows[0].carry is nan"));
  CHECK(Table::Row{}.carry == 1);
  CHECK(Table::Row{}.clock == 1);
  CHECK(Table{}.evaluations() == 1);
  CHECK(tabulate(Euler{}, karras({.steps = 3})).clock(3) == 1);
  CHECK_THAT(refusal([](Table& t) { t.rows[2].clock = 0; }), Catch::Contains("rows[2].clock is 0"));
  CHECK_THAT(refusal([](Table& t) { t.rows[0].weights = {1, 2}; }), Catch::Contains("rows[0].weights is 2; allowed: 1 to 1"));
  CHECK_THAT(refusal([](Table& t) { t.rows[2].weights.clear(); }), Catch::Contains("rows[2].weights is 0; allowed: 1 to 3"));
  CHECK_THAT(refusal([](Table& t) { t.rows[1].weights[0] = INFINITY; }), Catch::Contains("rows[1].weights is inf"));
  const Table t = tabulate(Euler{}, karras({.steps = 3}));
  CHECK_THAT(message_of([&] { sample(t, mixture, karras({.steps = 4}), cloud(1, 2)); }), Catch::Contains("number of steps is 4; allowed: 3"));
}

TEST_CASE("tables as files") {
  const auto path = std::filesystem::temp_directory_path() / "fewstep_table_test.json";
  const Table table = tabulate(Amed{Ipndm{.order = 3}, TablePredictor{{{0.3, 1.02, 0.9}, {0.4, 0.99, 1.1}}}}, karras({.steps = 2}));
  io::write_table(path, {table, true, {{"command", "none"}}});
  const io::TableFile read = io::read_table(path);
  CHECK(read.analytic_first_step);
  CHECK(read.made.at("command") == "none");
  CHECK(read.table.levels == table.levels);
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    CHECK(read.table.rows[i].weights == table.rows[i].weights);
    CHECK(read.table.rows[i].clock == table.rows[i].clock);
    CHECK(read.table.rows[i].carry == table.rows[i].carry);
  }
  const auto refusal = [&](const std::string& text) {
    std::ofstream(path) << text;
    const std::string message = message_of([&] { io::read_table(path); });
    CHECK(message.find('\n') == message.npos);
    CHECK_THAT(message, Catch::StartsWith(path.string()));
    return message;
  };
  CHECK_THAT(refusal("{}"), Catch::Contains("not a solver table"));
  CHECK_THAT(refusal("[1, 2"), Catch::Contains("parse error"));
  const std::string head = R"({"format": "fewstep solver table 1", "afs": false, "target": )";
  CHECK_THAT(refusal(head + R"("noise"})"), Catch::Contains("target is noise; allowed: slope, denoised"));
  CHECK_THAT(refusal(head + R"("slope"})"), Catch::Contains("levels"));
  CHECK_THAT(refusal(head + R"("slope", "levels": [2, 1], "rows": [{"carry": 1, "weights": [], "clock": 1}]})"), Catch::Contains("weights is 0"));
  CHECK_THAT(refusal(head + R"("slope", "levels": [2, 1], "rows": [{"carry": "one", "weights": [1], "clock": 1}]})"), Catch::Contains("type must be number"));
  // A start of its own is a file beside the table's, and no other.
  CHECK(read.start.empty());
  io::write_table(path, {table, true, {}, "start.safetensors"});
  CHECK(io::read_table(path).start == "start.safetensors");
  CHECK(io::read_table(path).analytic_first_step);
  for (const std::string start : {"", "..", "../start.safetensors", "/start.safetensors", "folder/"}) {
    const std::string words = "afs is " + start + "; allowed: true, false, or the name of a file beside the table's";
    CHECK_THAT(refusal(R"({"format": "fewstep solver table 1", "target": "slope", "afs": ")" + start + "\"}"), Catch::Contains(words));
    if (!start.empty()) CHECK_THAT(message_of([&] { io::write_table(path, {table, true, {}, start}); }), Catch::Contains(words));
  }
  CHECK_THAT(refusal(R"({"format": "fewstep solver table 1", "target": "slope", "afs": 1})"), Catch::Contains("type must be boolean"));
  std::filesystem::remove(path);
  CHECK_THAT(message_of([&] { io::read_table(path); }), Catch::Contains("cannot be read"));
}

TEST_CASE("calibration: better where it was not fitted, the same for the same noise, and never worse than its start") {
  const Array unseen = cloud(5'000, 600);
  const Table start = tabulate(Ipndm{.order = 3}, karras({.steps = 6}));
  const Array exact = sample(Heun{}, mixture, karras({.steps = 200}), unseen).x;
  const Options afs{.analytic_first_step = true};
  const auto distance = [&](const Table& t) { return rms(sample(t, mixture, t.schedule(), unseen, afs).x - exact); };
  const std::vector<Array> batches{cloud(0, 150), cloud(150, 150)};

  const Calibration steps = calibrate(mixture, start, batches, {.iterations = 0});
  CHECK(steps.steps_fitted == steps.after);
  CHECK(steps.after < 0.8 * steps.before);
  CHECK(distance(steps.table) < 0.8 * distance(start));
  const Calibration all = calibrate(mixture, start, batches, {.iterations = 6});
  CHECK(all.after < 0.9 * steps.after);
  CHECK(distance(all.table) < 0.9 * distance(steps.table));
  CHECK(calibrate(mixture, start, batches, {.iterations = 6}).table.levels == all.table.levels);

  // The teacher's error is estimated, and its states may be given.
  const auto taught = [&](int parts, const Array& z) { return teach(Heun{}, mixture, start.schedule(), parts, z); };
  const Array fine = taught(100, batches[0]).back(), errors = (taught(6, batches[0]).back() - fine).square().colwise().sum();
  const double median = std::sqrt(detail::median_of({errors.data(), errors.data() + errors.size()}));
  CHECK(all.teacher_error > 0.4 * median);
  CHECK(all.teacher_error < 2.5 * median);
  const std::vector<std::vector<Array>> teacher{taught(6, batches[0]), taught(6, batches[1])};
  CHECK(calibrate(mixture, start, batches, teacher, {.iterations = 6}).table.levels == all.table.levels);

  // Stopped at any stage and resumed, it ends at the same numbers.
  for (const int stage : {0, 1, 3}) {
    CalibrationProgress kept;
    const auto until = [&](const CalibrationProgress& p) { kept = p; return p.stage < stage; };
    calibrate(mixture, start, batches, teacher, {.iterations = 6, .report = until});
    CHECK(kept.stage == stage);
    const Calibration resumed = calibrate(mixture, start, batches, teacher, {.iterations = 6, .resume = kept});
    CHECK(resumed.table.levels == all.table.levels);
    CHECK(resumed.table.rows.back().weights == all.table.rows.back().weights);
    CHECK(resumed.before == all.before);
    CHECK(resumed.after == all.after);
  }

  // A held-out trajectory whose teacher ends in another place does not decide, whichever way it moves.
  std::set<std::vector<double>> ends;
  for (const double away : {0., 100., -100.}) {
    std::vector<std::vector<Array>> odd{taught(6, batches[0]), taught(6, batches[1])};
    odd[1].back().col(149) += away;
    CalibrationProgress from{.stage = 1, .table = steps.table, .best = steps.table};
    from.usual = 0.03;
    from.least = 1e9;
    ends.insert(calibrate(mixture, start, batches, odd, {.iterations = 6, .resume = from}).table.levels);
  }
  CHECK(ends.size() == 1);

  // As it is seen: here with numbers limited, and some of them twice. What is beyond is no error.
  const auto see = [](const Array& x) -> Array {
    Array y(x.rows() + 1, x.cols());
    y << x.max(-0.5).min(0.5), 2 * x.row(0).max(-0.5).min(0.5);
    return y;
  };
  const auto held_out = [&](const Table& t, const auto& seen) {
    const Array z = cloud(225, 75);
    return std::sqrt((seen(sample(t, mixture, t.schedule(), z, afs).x) - seen(taught(6, z).back())).square().sum() / 75);
  };
  CHECK(all.after == Approx(held_out(all.table, [](const Array& x) { return x; })));
  const Calibration seen = calibrate(mixture, start, batches, teacher, {.iterations = 6}, see);
  CHECK(seen.before == Approx(held_out(start, see)));
  CHECK(seen.after == Approx(held_out(seen.table, see)));
  CHECK(seen.after < held_out(all.table, see));
  CHECK(seen.after <= seen.steps_fitted);

  // One batch of all samples is the same problem.
  const Calibration whole = calibrate(mixture, start, std::vector<Array>{cloud(0, 300)}, {.iterations = 0});
  for (std::size_t i = 0; i < start.rows.size(); ++i)
    for (std::size_t k = 0; k < whole.table.rows[i].weights.size(); ++k)
      CHECK(whole.table.rows[i].weights[k] == Approx(steps.table.rows[i].weights[k]).epsilon(1e-6));

  int stages = 0;
  const Calibration stopped = calibrate(mixture, start, batches, {.report = [&](const CalibrationProgress&) { return ++stages < 2; }});
  CHECK(stages == 2);
  CHECK(stopped.after == steps.after);
  // From where little is to be gained, and with as good as no trajectories, it returns nothing worse on what it holds out.
  for (const std::size_t count : {4u, 12u}) {
    const Calibration few = calibrate(mixture, all.table, std::vector<Array>{cloud(0, count)}, {.iterations = 2});
    const std::size_t fitted = count - count / 4;
    const Array z = cloud(fitted, count - fitted), taught_ends = teach(Heun{}, mixture, all.table.schedule(), 6, z).back();
    const auto squares = [&](const Table& t) {
      const Array each = (sample(t, mixture, t.schedule(), z, afs).x - taught_ends).square().colwise().sum();
      return std::vector<double>(each.data(), each.data() + each.size());
    };
    const std::vector<double> first = squares(all.table), last = squares(few.table);
    CHECK(detail::cauchy_of(last, detail::median_of(first)) <= detail::cauchy_of(first, detail::median_of(first)));
    CHECK(few.usual == Approx(std::sqrt(detail::median_of(first))));
    CHECK(few.median == Approx(std::sqrt(detail::median_of(last))));
  }
}

TEST_CASE("calibration: samples that the model gives no numbers for are left out of what is fitted") {
  const Table start = tabulate(Ipndm{.order = 3}, karras({.steps = 6}));
  const std::vector<Array> batch{cloud(0, 200)};
  const std::vector<std::vector<Array>> teacher{teach(Heun{}, mixture, start.schedule(), 6, batch[0])};
  const double most = batch[0].row(1).tail(50).maxCoeff();  // of those held out
  REQUIRE(batch[0].row(1).maxCoeff() > most);
  const auto partial = [&](const Array& x, const Time<Array>& sigma, Array& out) {
    mixture(x, sigma, out);
    for (Eigen::Index b = 0; b < x.cols(); ++b)
      if (batch[0](1, b) > most) out.col(b) = NAN;
  };
  const Calibration made = calibrate(partial, start, batch, teacher, {.iterations = 3});
  CHECK(made.steps_fitted < 0.8 * made.before);
  CHECK(made.after <= made.steps_fitted);
}

TEST_CASE("calibration: a model of one direction, samples that are alike, and settings that do not fit") {
  // All slopes are the same: the Gram matrix has rank one.
  const auto constant = [](const Array& x, const Time<Array>&, Array& out) { out = Array::Zero(x.rows(), x.cols()); };
  const Table start = tabulate(Euler{}, karras({.steps = 4}));
  const Calibration made = calibrate(constant, start, std::vector<Array>{cloud(0, 20)}, {.iterations = 2, .analytic_first_step = false});
  CHECK(made.after <= made.before);
  CHECK(made.after < 1e-6);
  const auto refusal = [&](CalibrationOptions o, std::size_t count = 20) {
    return message_of([&] { calibrate(mixture, start, std::vector<Array>{cloud(0, count)}, o); });
  };
  CHECK(refusal({.held_out = 1}) == "held_out is 1; allowed: numbers between 0 and 1");
  const auto one = [](const Array& x) -> Array { return x.col(0); };
  CHECK(message_of([&] { calibrate(mixture, start, std::vector<Array>{cloud(0, 20)}, {}, one); }) == "the number of samples seen is 1; allowed: 20, those of the state");
  CHECK_THAT(message_of([&] { calibrate(mixture, start, std::vector<Array>{}); }), Catch::Contains("number of batches of noise is 0"));
  CHECK_THAT(message_of([&] { calibrate(mixture, start, std::vector<Array>{cloud(0, 20)}, std::vector<std::vector<Array>>{}, {}); }), Catch::Contains("batches of the teacher is 0; allowed: 1"));
  CHECK(refusal({.ridge = -1}) == "ridge is -1; allowed: 0 and positive numbers");
  CHECK(refusal({.teacher_steps = 0}) == "teacher_steps is 0; allowed: 2 or more");
  CHECK_THAT(refusal({}, 2), Catch::Contains("number of trajectories is 2"));
  const Table images = tabulate(Dpmpp{}, karras({.steps = 4}));
  CHECK_THAT(message_of([&] { calibrate(mixture, images, std::vector<Array>{cloud(0, 20)}); }), Catch::Contains("target is denoised; allowed: slope"));
  Table odd = start;
  odd.rows[1].carry = 0.9;
  CHECK_THAT(message_of([&] { calibrate(mixture, odd, std::vector<Array>{cloud(0, 20)}); }), Catch::Contains("carry of the table is 0.9; allowed: 1"));
  odd = start;
  odd.levels.back() = 0;
  CHECK_THAT(message_of([&] { calibrate(mixture, odd, std::vector<Array>{cloud(0, 20)}); }), Catch::Contains("last level is 0"));
  CHECK_THAT(refusal({.resume = CalibrationProgress{.table = tabulate(Euler{}, karras({.steps = 5}))}}), Catch::Contains("is resumed is 5; allowed: 4"));
  CHECK(refusal({.tries = 0}) == "tries is 0; allowed: 1 or more");
  const auto broken = [](const Array& x, const Time<Array>&, Array& out) { out = Array::Constant(x.rows(), x.cols(), NAN); };
  CHECK_THAT(message_of([&] { calibrate(broken, start, std::vector<Array>{cloud(0, 20)}); }), Catch::Contains("teacher's samples are not finite"));
}
