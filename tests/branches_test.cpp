// Denoisers of several branches, and tables that weigh them apart: runs, evaluations, files, fits.
#include "support/catch.hpp"
#include "support/laws.hpp"
#include "support/types.hpp"
#include "support/worst.hpp"

#include <fewstep/buffer.hpp>
#include <fewstep/denoisers.hpp>
#include <fewstep/fitting/branch_choice.hpp>
#include <fewstep/fitting/branched.hpp>
#include <fewstep/fitting/calibrate.hpp>
#include <fewstep/fitting/in_slopes.hpp>
#include <fewstep/fitting/tabulate.hpp>
#include <fewstep/io/table_file.hpp>

#include <cmath>
#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

using namespace fewstep;
using Catch::Contains;
using test::Array;
using test::cloud;
using test::message_of;

namespace {

const MixtureDenoiser conditional({.weights = {0.7, 0.3}, .means = {{1, 0}, {-1, 0.5}}, .deviations = {0.2, 0.3}});
const MixtureDenoiser unconditional({.weights = {0.4, 0.6}, .means = {{0.5, 1}, {-1, -0.5}}, .deviations = {0.4, 0.3}});
constexpr double scale_of_tests = 2.5;
const auto guided_mixture = guided(conditional, unconditional, {.scale = scale_of_tests});

const Schedule schedule = karras({.steps = 6});

double largest(const Array& x) { return x.abs().maxCoeff(); }

Table whole_table(bool afs) { return branched(tabulate(Ipndm{.order = 3}, schedule), scale_of_tests, afs); }

/// The table without evaluations of the second branch in rows 2 and 4.
Table sparse_table(bool afs) { return leave_out(leave_out(whole_table(afs), 2, 1), 4, 1); }

/// A guided denoiser of any state, for numbers that stand alone.
template <class X>
auto guided_peaks() {
  const auto one = [](const X& x, double sigma, X& out) { scale(out, 1 / (1 + sigma * sigma), x); };
  const auto other = [](const X& x, double sigma, X& out) { scale(out, 0.25 / (0.25 + sigma * sigma), x); };
  return guided(one, other, {.scale = scale_of_tests});
}

}  // namespace

TEST_CASE("branched: a table with the branches' weights in a fixed combination runs as the table of their denoiser") {
  for (const bool afs : {false, true})
    for (const auto& [label, solver] : test::configurations<double>()) {
      INFO(label << (afs ? ", AFS" : ""));
      Table table;
      try {
        table = in_slopes(tabulate(solver, schedule));
      } catch (const std::invalid_argument&) {
        continue;  // PNDM has no table
      }
      if (table.target != Target::slope || table.evaluations() > 1) continue;  // midpoints
      bool plain = true;
      for (const Table::Row& row : table.rows) plain = plain && row.carry == 1;
      if (!plain) continue;
      const Table two = branched(table, scale_of_tests, afs);
      const Options options{.analytic_first_step = afs};
      const auto whole = sample(table, guided_mixture, table.schedule(), cloud(0, 5), options);
      const auto apart = sample(two, guided_mixture, two.schedule(), cloud(0, 5), options);
      CHECK(largest(whole.x - apart.x) < 1e-9);
      CHECK(apart.evaluations == whole.evaluations);
      CHECK(apart.total_evaluations == whole.total_evaluations);
      CHECK(evaluations(two, two.schedule(), options, 2) == whole.total_evaluations);
      CHECK(evaluations(two, two.schedule(), options) == whole.evaluations);
    }
}

TEST_CASE("in_slopes: every solver of denoised batches as a table of slopes") {
  int converted = 0;
  for (const auto& [label, solver] : test::configurations<double>()) {
    INFO(label);
    Table table;
    try {
      table = tabulate(solver, schedule);
    } catch (const std::invalid_argument&) {
      continue;
    }
    if (table.evaluations() > 1) continue;
    bool plain = true;
    for (const Table::Row& row : table.rows) plain = plain && row.sigma_scale == 1;
    if (!plain && table.target == Target::denoised) continue;
    const Table slopes = in_slopes(table);
    converted += table.target == Target::denoised;
    CHECK(slopes.target == Target::slope);
    for (const bool afs : {false, true}) {
      const Options options{.analytic_first_step = afs};
      const Array a = sample(table, conditional, table.schedule(), cloud(0, 5), options).x,
                  b = sample(slopes, conditional, slopes.schedule(), cloud(0, 5), options).x;
      CHECK(largest(a - b) < 1e-9);
    }
  }
  CHECK(converted >= 3);
  Table own = tabulate(Euler{}, schedule);
  own.target = Target::denoised;
  CHECK_THAT(message_of([&] { in_slopes(own); }), Contains("the sum of Table::rows[0]'s weights is"));
}

TEST_CASE("composed: a sum of denoisers, whose branches it hands over") {
  const auto sum = composed({scale_of_tests, 1 - scale_of_tests}, conditional, unconditional);
  const Array z = cloud(0, 5);
  CHECK(largest(sample(Dpmpp{}, sum, schedule, z).x - sample(Dpmpp{}, guided_mixture, schedule, z).x) < 1e-12);
  CHECK(sum.evaluations_per_call() == 2);
  const Table table = whole_table(false);
  CHECK(largest(sample(table, sum, schedule, z).x - sample(table, guided_mixture, schedule, z).x) < 1e-12);
  const auto three = composed({-1, 1.5, 0.5}, unconditional, conditional, unconditional);
  const Table of_three = branched(tabulate(Ipndm{.order = 2}, schedule), three.combination(), false);
  const auto apart = sample(of_three, three, schedule, z);
  CHECK(largest(apart.x - sample(Ipndm{.order = 2}, three, schedule, z).x) < 1e-12);
  CHECK(apart.total_evaluations == 18);
  CHECK_THAT(message_of([&] { composed({NAN}, conditional); }), Contains("weights[0] is nan; allowed: finite numbers"));
}

TEST_CASE("leave_out: fewer evaluations, and a row uses the branch's earlier output") {
  const Table table = sparse_table(false);
  CHECK(table.total_branch_evaluations(false) == 10);
  CHECK(table.total_branch_evaluations(true) == 8);
  const auto run = sample(table, guided_mixture, schedule, cloud(0, 5));
  CHECK(run.evaluations == 6);
  CHECK(run.total_evaluations == 10);
  CHECK(evaluations(table, schedule, {}, 2) == 10);
  for (std::size_t i = 0; i < table.rows.size(); ++i) {  // consistent: the weights of a row still add up to its step
    double sum = 0;
    for (std::size_t b = 0; b < 2; ++b)
      for (const double w : table.rows[i].weights_of(b)) sum += w;
    CHECK(sum == Approx(table.levels[i + 1] - table.levels[i]));
  }
  // By hand: the branch's slope of row 1 serves in row 2.
  std::vector<std::vector<Array>> slopes(2);
  Array x = cloud(0, 5) * schedule[0], out = x;
  const auto slope = [&](const MixtureDenoiser& d, double t) {
    Features<Array> unused{};
    detail::denoise(d, x, Level<Array>(t), out, unused);
    return Array((x - out) / t);
  };
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    const double t = schedule[i];
    slopes[0].insert(slopes[0].begin(), slope(conditional, t));
    if (table.rows[i].evaluates(1)) slopes[1].insert(slopes[1].begin(), slope(unconditional, t));
    for (std::size_t b = 0; b < 2; ++b)
      for (std::size_t k = 0; k < table.rows[i].weights_of(b).size(); ++k)
        x += table.rows[i].weights_of(b)[k] * slopes[b][k];
  }
  CHECK(largest(run.x - x) < 1e-12);
  CHECK_THAT(message_of([&] { leave_out(table, 2, 1); }), Contains("the branch to leave out is 1"));
  const Table unconditional_only = leave_out(whole_table(false), 3, 0);
  CHECK_FALSE(unconditional_only.rows[3].evaluates(0));
  CHECK(sample(unconditional_only, guided_mixture, schedule, cloud(0, 5)).total_evaluations == 11);
}

TEST_CASE("a table of branches is the same on every state, for any batch, with levels of its own and others") {
  for (const bool afs : {false, true}) {
    const Options options{.analytic_first_step = afs};
    for (const Table& table : {whole_table(afs), sparse_table(afs)}) {
      const double one = sample(table, guided_peaks<double>(), schedule, 0.7, options).x;
      const Array two = sample(table, guided_peaks<Array>(), schedule, Array(Array::Constant(2, 3, 0.7)), options).x;
      CHECK(largest(two - one) < 1e-12);
      Buffer<double> numbers(std::vector<double>(6, 0.7), 3);
      for (const double v : sample(table, guided_peaks<Buffer<double>>(), schedule, std::move(numbers), options).x)
        CHECK(v == Approx(one).epsilon(1e-12));
      const AnySolver<double> any(table);
      CHECK(sample(any, guided_peaks<double>(), schedule, 0.7, options).x == one);
      CHECK(evaluations(any, schedule, options, 2) == evaluations(table, schedule, options, 2));
      // Other levels stretch the weights.
      const Schedule other = log_uniform({.steps = 6});
      Table stretched = table;
      for (std::size_t i = 0; i < table.rows.size(); ++i)
        for (std::size_t b = 0; b < 2; ++b)
          for (double& w : stretched.rows[i].weights_of(b))
            w *= (other[i + 1] - other[i]) / (table.levels[i + 1] - table.levels[i]);
      stretched.levels = other.levels();
      CHECK(sample(table, guided_peaks<double>(), other, 0.7, options).x ==
            Approx(sample(stretched, guided_peaks<double>(), other, 0.7, options).x));
    }
  }
}

TEST_CASE("a table of branches: features, observers, and sigma_scale") {
  Table table = whole_table(false);
  std::vector<Array> aims;
  sample(branched(tabulate(Euler{}, schedule), scale_of_tests, false), guided_mixture, schedule, cloud(0, 3),
         {.keep_denoised = true}, [&](const Snapshot<Array>& s) { aims.push_back(*s.denoised); });
  std::vector<Array> denoised;
  sample(Euler{}, guided_mixture, schedule, cloud(0, 3), {.keep_denoised = true},
         [&](const Snapshot<Array>& s) { denoised.push_back(*s.denoised); });
  REQUIRE(aims.size() == denoised.size());
  for (std::size_t i = 0; i < aims.size(); ++i) CHECK(largest(aims[i] - denoised[i]) < 1e-9);

  table.rows[2].sigma_scale = 1.1;
  std::vector<double> levels;
  const auto recording = [&](const double& x, double sigma, double& out) {
    levels.push_back(sigma);
    out = x / (1 + sigma * sigma);
  };
  sample(table, guided(recording, recording, {.scale = scale_of_tests}), schedule, 0.7);
  REQUIRE(levels.size() == 12);
  CHECK(levels[4] == Approx(1.1 * schedule[2]));
  CHECK(levels[5] == levels[4]);
}

TEST_CASE("a table of branches refuses what it cannot run") {
  const Table table = whole_table(false);
  const auto refusal = [&](const auto& denoise, const Options& options = {}) {
    return message_of([&] { sample(table, denoise, schedule, cloud(0, 3), options); });
  };
  CHECK_THAT(refusal(conditional), Contains("the solver's branches is 2; allowed: 1, as the denoiser's"));
  CHECK_THAT(refusal(guided(conditional, unconditional, {.scale = 3})),
             Contains("the guidance scale is 3; allowed: 2.5, as the solver's"));
  CHECK_THAT(refusal(guided(conditional, unconditional, {.scale = scale_of_tests, .rescale = 0.5})),
             Contains("GuidanceOptions::rescale is 0.5; allowed: 0 for a solver that weighs the branches"));
  CHECK_THAT(refusal(guided(conditional, unconditional, {.scale = scale_of_tests, .sigma_high = 5})),
             Contains("GuidanceOptions::sigma_high is 5"));
  CHECK_THAT(refusal(guided_mixture, {.analytic_first_step = true}), Contains("the first output of Table::rows[0]"));
  CHECK_THAT(refusal(clamped(guided_mixture, -1, 1)), Contains("allowed: 1, as the denoiser's"));
  CHECK_THAT(message_of([&] { sample(Amed{table, FixedRatio{}}, guided_mixture, schedule, cloud(0, 3)); }),
             Contains("is"));
  CHECK_THAT(message_of([&] { sample(sparse_table(false), guided_mixture, schedule, cloud(0, 3), {.first_step = 3}); }),
             Contains("the number of targets kept before Table::rows[3]"));

  const auto invalid = [&](auto change) {
    Table changed = table;
    change(changed);
    return message_of([&] { changed.validate(); });
  };
  CHECK_THAT(invalid([](Table& t) { t.rows[1].others.clear(); }),
             Contains("Table::rows[1].others is 0; allowed: 1 to 1"));
  CHECK_THAT(invalid([](Table& t) { t.rows[2].others[0].evaluated = false; }),
             Contains("Table::rows[2].weights is 3; allowed: 0 to 2"));
  CHECK_THAT(invalid([](Table& t) { t.rows[0].evaluated = t.rows[0].others[0].evaluated = false; }),
             Contains("rows[0]"));
  CHECK_THAT(invalid([](Table& t) { t.rows[1].others[0].weights[0] = INFINITY; }), Contains("rows[1].weights is inf"));
  CHECK_THAT(invalid([](Table& t) { t.rows[1].midpoints.push_back({1, 1, 1}); }),
             Contains("midpoints is 1; allowed: 0"));
  CHECK_THAT(message_of([&] { branched(table, scale_of_tests, false); }), Contains("branches of the table is 2"));
  CHECK_THAT(message_of([&] { branched(tabulate(Euler{}, schedule), std::vector<double>{1, 1}, false); }),
             Contains("the sum of the branches' weights is 2; allowed: 1"));
  CHECK_THAT(message_of([&] { branched(tabulate(Heun{}, schedule), 2, false); }), Contains("one with midpoints"));
}

TEST_CASE("a table of branches as a file") {
  const auto path = std::filesystem::temp_directory_path() / "fewstep_branches_test.json";
  for (const bool afs : {false, true}) {
    const Table table = sparse_table(afs);
    io::write_table(path, {table, afs});
    const io::TableFile read = io::read_table(path);
    CHECK(read.table.branches() == 2);
    CHECK(read.table.guidance == scale_of_tests);
    const Options options{.analytic_first_step = read.analytic_first_step};
    CHECK(largest(sample(read.table, guided_mixture, schedule, cloud(0, 3), options).x -
                  sample(table, guided_mixture, schedule, cloud(0, 3), options).x) == 0);
  }
  const auto refusal = [&](auto change) {
    nlohmann::json json = io::to_json({sparse_table(false)});
    change(json);
    return message_of([&] { io::table_from_json(json); });
  };
  CHECK_THAT(refusal([](auto& j) { j["branches"] = 3; }), Contains("the number of rows[0].weights is 2; allowed: 3"));
  CHECK_THAT(refusal([](auto& j) { j["branches"] = 0; }), Contains("branches is 0; allowed: 1 to 64"));
  CHECK_THAT(refusal([](auto& j) { j.erase("branches"); }), Contains("a key of rows[0] is evaluated"));
  CHECK_THAT(refusal([](auto& j) { j["rows"][2]["evaluated"] = {true}; }),
             Contains("the number of rows[2].evaluated is 1; allowed: 2, the table's branches"));
  CHECK_THAT(refusal([](auto& j) { j["rows"][2]["evaluated"] = {1, 0}; }),
             Contains("rows[2].evaluated[0] is 1; allowed: true"));
  CHECK_THAT(refusal([](auto& j) { j["rows"][1]["weights"][1] = {"x"}; }), Contains("rows[1].weights[1][0] is"));
  CHECK_THAT(refusal([](auto& j) { j["rows"][1]["weights"][1] = 2; }), Contains("rows[1].weights[1] is number"));
  CHECK_THAT(refusal([](auto& j) { j["guidance"] = "two"; }), Contains("guidance is"));
  std::filesystem::remove(path);
}

TEST_CASE("calibrate: branches with weights of their own fit better than their fixed combination") {
  std::vector<Array> batches;
  for (int b = 0; b < 8; ++b) batches.push_back(cloud(100 * static_cast<std::uint64_t>(b), 25));
  for (const bool afs : {false, true}) {
    INFO("AFS " << afs);
    const Table start = tabulate(Ipndm{.order = 2}, schedule);
    const CalibrationOptions options{.iterations = 0, .analytic_first_step = afs};
    const Calibration one = calibrate(guided_mixture, start, batches, options),
                      two = calibrate(guided_mixture, branched(start, scale_of_tests, afs), batches, options);
    CHECK(two.start_rms == Approx(one.start_rms).epsilon(1e-6));
    CHECK(two.best_median < 0.8 * one.best_median);
    CHECK(two.table.branches() == 2);
    CHECK(two.table.guidance == scale_of_tests);
    const Table sparse = leave_out(branched(start, scale_of_tests, afs), 3, 1);
    const Calibration left_out = calibrate(guided_mixture, sparse, batches, options);
    CHECK(left_out.table.total_branch_evaluations(afs) == two.table.total_branch_evaluations(afs) - 1);
    CHECK(left_out.best_median < 0.5 * left_out.start_median);
    const auto further = calibrate(guided_mixture, branched(start, scale_of_tests, afs), batches,
                                   {.iterations = 2, .analytic_first_step = afs});
    CHECK(further.best_median < 0.7 * two.best_median);
  }
}

TEST_CASE("calibrate: a table that was made for another guidance scale is refused") {
  const Table of_another = branched(tabulate(Ipndm{.order = 2}, schedule), 4, false);
  CHECK_THAT(message_of([&] {
               calibrate(guided_mixture, of_another, std::vector<Array>{cloud(0, 20)}, {.analytic_first_step = false});
             }),
             Contains("the guidance scale is 2.5; allowed: 4, as the solver's"));
}

TEST_CASE("spend_evaluations leaves out what is least missed") {
  // The fit's score tells which evaluation is missed least: that of row 4, then of row 2.
  struct Fit {
    Table table;
    double missed;
    double score() const { return missed; }
  };
  std::size_t fits = 0;
  const auto fit = [&fits](const Table& t) {
    ++fits;
    double missed = 0;
    for (std::size_t i = 0; i < t.rows.size(); ++i)
      for (std::size_t b = 0; b < 2; ++b)
        if (!t.rows[i].evaluates(b)) missed += b == 0 ? 10 : i == 0 ? 0 : i == 4 ? 1 : i == 2 ? 2 : 3;
    return Fit{t, missed};
  };
  const auto spent = spend_evaluations(whole_table(true), 8, true, fit);
  REQUIRE(spent);
  CHECK(spent->missed == 3);
  CHECK(fits == fits_to_spend(5, 2, 2));
  CHECK(spent->table.total_branch_evaluations(true) == 8);
  CHECK_FALSE(spent->table.rows[4].evaluates(1));
  CHECK(fits_to_spend(3, 2, 2) == 10);
  CHECK(fits_to_spend(1, 2, 3) == 2);
  CHECK_FALSE(spent->table.rows[2].evaluates(1));
  CHECK_FALSE(spend_evaluations(whole_table(true), 2, true, fit));  // every row evaluates one at least
}

TEST_CASE("per_batch: each batch meets the denoiser of its conditions") {
  const auto of_batch = [](std::size_t b) {
    return guided(conditional, unconditional, {.scale = 1 + static_cast<double>(b % 2)});
  };
  std::vector<Array> batches;
  for (int b = 0; b < 4; ++b) batches.push_back(cloud(100 * static_cast<std::uint64_t>(b), 20));
  const Table start = tabulate(Ipndm{.order = 2}, schedule);
  const CalibrationOptions options{.held_out = 0.5, .iterations = 0, .analytic_first_step = false};
  const Calibration made = calibrate(per_batch(of_batch), start, batches, options);
  double sum = 0;
  for (std::size_t b = 2; b < 4; ++b) {  // the start's held-out distance, by hand
    const Array x = sample(start, of_batch(b), schedule, batches[b]).x,
                y = sample(Heun{}, of_batch(b), refined(schedule, 6), batches[b]).x;
    sum += (x - y).square().sum();
  }
  CHECK(made.start_rms == Approx(std::sqrt(sum / (2 * 40))));
}
