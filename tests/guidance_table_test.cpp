// Tables for a range of guidance scales: polynomials, runs, files, fits.
#include "support/catch.hpp"
#include "support/laws.hpp"
#include "support/types.hpp"

#include <fewstep/denoisers.hpp>
#include <fewstep/fitting/branch_choice.hpp>
#include <fewstep/fitting/calibrate.hpp>
#include <fewstep/fitting/over_scales.hpp>
#include <fewstep/fitting/tabulate.hpp>
#include <fewstep/io/table_file.hpp>
#include <fewstep/io/table_sampler.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

using namespace fewstep;
using Catch::Contains;
using test::cloud;
using test::message_of;

namespace {

using Values = test::Array;

const MixtureDenoiser conditional({.weights = {0.7, 0.3}, .means = {{1, 0}, {-1, 0.5}}, .deviations = {0.2, 0.3}});
const MixtureDenoiser unconditional({.weights = {0.4, 0.6}, .means = {{0.5, 1}, {-1, -0.5}}, .deviations = {0.4, 0.3}});
const Schedule schedule = karras({.steps = 6});
const GuidanceScales scales{{1.5, 3, 8}};

auto guided_at(double scale) { return guided(conditional, unconditional, {.scale = scale}); }
double largest(const Values& x) { return x.abs().maxCoeff(); }
Table classic() { return tabulate(Ipndm{.order = 3}, schedule); }

/// A table that differs from node to node, and leaves out evaluations.
GuidanceTable uneven(bool afs) {
  const Table sparse = leave_out(leave_out(branched(classic(), 3, afs), 2, 1), 4, 0);
  GuidanceTable made = over_scales(sparse, scales, afs);
  double shift = 0.01;
  for (Table::Row& row : made.table.rows) {
    row.sigma_scale = 1 + shift;
    for (std::size_t b = 0; b < row.branches(); ++b)
      for (double& weight : row.weights_of(b)) weight += shift = -0.97 * shift;
  }
  return made;
}

double median_distance(const Table& table, double scale, bool afs) {
  const Values z = cloud(9'000, 200);
  const auto denoise = guided_at(scale);
  const Values difference = sample(table, denoise, table.schedule(), z, {.analytic_first_step = afs}).x -
                            sample(Heun{}, denoise, karras({.steps = 40}), z).x;
  std::vector<double> squares;
  for (Eigen::Index n = 0; n < difference.cols(); ++n) squares.push_back(difference.col(n).square().mean());
  std::nth_element(squares.begin(), squares.begin() + 100, squares.end());
  return std::sqrt(squares[100]);
}

}  // namespace

TEST_CASE("guidance scales: polynomials that are 1 at their own node, and add up to 1") {
  for (std::size_t p = 0; p < 3; ++p) {
    const std::vector<double> at_node = scales.weights(scales.nodes[p]);
    for (std::size_t q = 0; q < 3; ++q) CHECK(at_node[q] == Approx(p == q ? 1 : 0).margin(1e-12));
  }
  for (const double scale : {1.6, 2., 5., 7.9}) {
    const std::vector<double> between = scales.weights(scale);
    double sum = 0, log_scale = 0, square = 0;
    for (std::size_t p = 0; p < 3; ++p) {
      sum += between[p];
      log_scale += between[p] * std::log(scales.nodes[p]);
      square += between[p] * std::pow(std::log(scales.nodes[p]), 2);
    }
    CHECK(sum == Approx(1));
    CHECK(log_scale == Approx(std::log(scale)));
    CHECK(square == Approx(std::pow(std::log(scale), 2)));
  }
  CHECK_THAT(message_of([] { scales.weights(1.4); }), Contains("the guidance scale is 1.4; allowed: 1.5 to 8"));
  CHECK_THAT(message_of([] { GuidanceScales{{2}}.validate(); }), Contains("the number of guidance scales is 1"));
  std::vector<double> many;
  while (many.size() < 17) many.push_back(1 + static_cast<double>(many.size()));
  CHECK_THAT(message_of([&] { GuidanceScales{many}.validate(); }), Contains("guidance scales is 17; allowed: 2 to 16"));
  many.pop_back();
  GuidanceScales{many}.validate();
  CHECK_THAT(message_of([] { GuidanceScales{{0, 2}}.validate(); }), Contains("guidance scale 0 is 0"));
  CHECK_THAT(message_of([] { GuidanceScales{{2, 2}}.validate(); }), Contains("guidance scale 1 is 2; allowed: more"));
}

TEST_CASE("scales of batches: within the range, and any few in a row are spread over it") {
  for (std::size_t first = 0; first < 20; ++first) {
    std::vector<double> parts;
    for (std::size_t b = first; b < first + 6; ++b)
      parts.push_back(std::log(scale_of_batch(scales, b) / 1.5) / std::log(8 / 1.5));
    std::sort(parts.begin(), parts.end());
    CHECK(parts.front() >= 0);
    CHECK(parts.front() < 0.3);
    CHECK(parts.back() > 0.7);
    CHECK(parts.back() <= 1);
    for (std::size_t k = 1; k < parts.size(); ++k) CHECK(parts[k] - parts[k - 1] > 0.05);
  }
}

TEST_CASE("over_scales: at a node, a table of one branch runs as that of the guided denoiser") {
  for (const bool afs : {false, true})
    for (const double scale : scales.nodes) {
      const GuidanceTable table = over_scales(classic(), scales, afs);
      CHECK(table.branches() == 2);
      const Table at_node = table.at(scale);
      CHECK(at_node.guidance == scale);
      const Options options{.analytic_first_step = afs};
      const auto run = sample(at_node, guided_at(scale), schedule, cloud(0, 5), options);
      CHECK(largest(run.x - sample(classic(), guided_at(scale), schedule, cloud(0, 5), options).x) < 1e-9);
      CHECK(run.total_evaluations == (afs ? 10 : 12));
    }
}

TEST_CASE("scale_polynomials: a run with all branches is that of the table at the denoiser's scale") {
  for (const bool afs : {false, true})
    for (const double scale : {1.5, 2.2, 7.}) {
      const GuidanceTable table = uneven(afs);
      const Options options{.analytic_first_step = afs};
      const auto all =
          sample(table.table, scale_polynomials(guided_at(scale), scales, scale), schedule, cloud(0, 5), options);
      const auto one = sample(table.at(scale), guided_at(scale), schedule, cloud(0, 5), options);
      CHECK(largest(all.x - one.x) < 1e-9);
      CHECK(all.evaluations == one.evaluations);
      CHECK(all.total_evaluations == one.total_evaluations);
      CHECK(one.total_evaluations == (afs ? 8 : 10));
      const auto whole = scale_polynomials(guided_at(scale), scales, scale);
      CHECK(largest(sample(Dpmpp{}, whole, schedule, cloud(0, 5)).x -
                    sample(Dpmpp{}, guided_at(scale), schedule, cloud(0, 5)).x) == 0);
    }
}

TEST_CASE("calibrate: one table for a range of guidance scales") {
  std::vector<Values> batches;
  for (std::uint64_t b = 0; b < 24; ++b) batches.push_back(cloud(100 * b, 25));
  for (const bool afs : {false, true}) {
    INFO("AFS " << afs);
    const auto denoise = per_batch([](std::size_t batch) {
      const double scale = scale_of_batch(scales, batch);
      return scale_polynomials(guided_at(scale), scales, scale);
    });
    const GuidanceTable start = over_scales(classic(), scales, afs);
    const Calibration made =
        calibrate(denoise, start.table, batches, {.iterations = 2, .jacobian_batches = 6, .analytic_first_step = afs});
    const GuidanceTable fitted{scales, made.table};
    fitted.validate();
    for (const double unseen : {1.7, 2., 4.4, 7.}) {
      INFO("guidance scale " << unseen);
      CHECK(median_distance(fitted.at(unseen), unseen, afs) < 0.6 * median_distance(classic(), unseen, afs));
    }
  }
  CHECK_THAT(message_of([&] { calibrate(guided_at(2), classic(), batches, {.jacobian_batches = 0}); }),
             Contains("jacobian_batches is 0; allowed: 1 or more"));
}

TEST_CASE("a table for a range of guidance scales as a file") {
  const auto path = std::filesystem::temp_directory_path() / "fewstep_guidance_table_test.json";
  for (const bool afs : {false, true}) {
    const GuidanceTable table = uneven(afs);
    io::write_table(path, {.table = table.table, .analytic_first_step = afs, .guidance_scales = scales.nodes});
    const io::TableSampler read = io::read_table_sampler(path, 2.5);
    CHECK(read.table.branches() == 2);
    CHECK(read.table.guidance == 2.5);
    CHECK(largest(sample(read.table, guided_at(2.5), read.schedule, cloud(0, 3), read.options).x -
                  sample(table.at(2.5), guided_at(2.5), schedule, cloud(0, 3), read.options).x) == 0);
  }
  CHECK_THAT(message_of([&] { io::read_table_sampler(path); }), Contains("guidance is not given; allowed: 1.5 to 8"));
  CHECK_THAT(message_of([&] { io::read_table_sampler(path, 9); }),
             Contains("the guidance scale is 9; allowed: 1.5 to 8"));
  io::write_table(path, {.table = branched(classic(), 3, false)});
  CHECK(io::read_table_sampler(path).table.guidance == 3);
  CHECK_THAT(message_of([&] { io::read_table_sampler(path, 2); }), Contains("guidance is 2; allowed: 3"));
  std::filesystem::remove(path);

  const auto refusal = [](auto change) {
    nlohmann::json json = io::to_json({.table = uneven(false).table, .guidance_scales = scales.nodes});
    change(json);
    return message_of([&] { io::table_from_json(json); });
  };
  CHECK_THAT(refusal([](auto& j) { j["guidance"] = {1, 2}; }), Contains("is"));
  CHECK_THAT(refusal([](auto& j) { j["guidance"] = {1, 2, 3, 4}; }), Contains("the number of branches is 6"));
  CHECK_THAT(refusal([](auto& j) { j["guidance"] = {3, 2, 1}; }), Contains("guidance scale 1 is 2"));
  CHECK_THAT(refusal([](auto& j) { j["guidance"] = {1, "x"}; }), Contains("guidance[1] is"));
  CHECK_THAT(refusal([](auto& j) { j["rows"][4]["evaluated"][2] = true; }),
             Contains("whether row 4 evaluates branch 2 is other"));
  CHECK_THAT(refusal([](auto& j) {
               j["rows"][0]["evaluated"][2] = false;
               for (auto& row : j["rows"]) row["weights"][2] = nlohmann::json::array();
             }),
             Contains("whether row 0 evaluates branch 2 is other"));
  Table::Row none{.carry = 1, .evaluated = false}, all = none;
  none.others.resize(3, {{}, false});
  none.others[2].evaluated = true;
  all.evaluated = true;
  all.others.resize(3);
  const GuidanceTable odd{{{2, 4}}, {.levels = {3, 2, 1}, .rows = {none, all}}};
  CHECK_THAT(message_of([&] { odd.validate(); }), Contains("whether row 0 evaluates branch 3 is other"));
  CHECK_THAT(message_of([] { over_scales(tabulate(Heun{}, schedule), scales, false); }), Contains("midpoints"));
}
