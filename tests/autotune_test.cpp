// autotune(): the check of levels, the race, the search as a whole, and what it says about unseen noise.
#include "support/catch.hpp"
#include "support/types.hpp"

#include <fewstep/denoisers.hpp>
#include <fewstep/fitting/autotune.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

using namespace fewstep;
using Catch::Contains;
using test::Array;
using test::cloud;
using test::message_of;

namespace {

using Any = std::function<void(const Array&, double, Array&)>;  // one type, so that autotune() compiles once

Array noise_of(std::size_t batch) { return cloud(100 * batch, 20); }

const Any mixture = [](const Array& x, double sigma, Array& out) { test::plane(x, Level<Array>(sigma), out); };

/// A denoiser whose error grows with the level, as a network's does at levels that it was hardly trained at.
Any exploding(double relative_error) {
  return [=](const Array& x, double sigma, Array& out) {
    mixture(x, sigma, out);
    out += relative_error * sigma * (0.9 + 0.1 * (3 * x / sigma).sin());
  };
}

AutotuneOptions small_search() { return {.calls = 3'000}; }

Autotuned tuned(const Any& denoise, const AutotuneOptions& options) {
  return autotune<Array>(denoise, noise_of, options);
}

}  // namespace

TEST_CASE("check_levels: levels are usable where the denoised noise does not grow again") {
  std::vector<double> levels;
  for (int i = 32; i >= 0; --i) levels.push_back(0.01 * std::pow(1e7, i / 32.));  // 1e5 to 0.01
  const auto usable = [&](const std::function<double(double)>& rms) {
    std::vector<double> all;
    for (const double sigma : levels) all.push_back(rms(sigma));
    return detail::usable_max(levels, all);
  };
  const auto centred = [](double s) { return s / (1 + s * s); };
  CHECK(usable(centred) == levels[0]);                                                // N(0, 1)
  CHECK(usable([](double s) { return 5 * s / std::sqrt(1 + s * s); }) == levels[0]);  // a mean of 5
  CHECK(usable([](double s) { return s / (1 + s * s) + 1e-6 * s; }) == levels[0]);    // never beyond the data
  const double capped = usable([](double s) { return s / (1 + s * s) + 0.01 * s; });  // beyond 0.5 from 50 on
  CHECK(capped > 20);
  CHECK(capped < 60);
  CHECK(usable([](double s) { return 1e-3 * s; }) == levels[0]);  // no flat piece: D is about x
  const double meaned = usable([](double s) { return s / std::sqrt(1 + s * s) + 0.05 * s; });  // 1.5 times from 30 on
  CHECK(meaned > 8);
  CHECK(meaned < 40);
  CHECK(usable([&](double s) { return s > 100 ? NAN : centred(s); }) < 100);
  CHECK(usable([](double) { return NAN; }) == 0);

  const LevelCheck check = check_levels(exploding(0.05), cloud(0, 20), 0.01, 20'000);
  CHECK(check.levels.size() == 33);
  CHECK(check.levels.front() == 20'000);
  CHECK(check.usable_max < 60);
  CHECK(check.usable_max > 5);
  const Any broken = [](const Array&, double, Array& out) { out.setConstant(NAN); };
  CHECK_THAT(message_of([&] { check_levels(broken, cloud(0, 20), 0.01, 80); }), Contains("of no use at any level"));
}

TEST_CASE("racers: every solver for few steps on every schedule, each with the evaluations asked for") {
  const std::vector<Racer> all = racers(5, 0.002, 80), few = racers(5, 0.002, 80, false);
  std::set<std::string> texts;
  for (const Racer& racer : all) {
    texts.insert(racer.text);
    CHECK(evaluations(racer.table, racer.table.schedule(), {.analytic_first_step = racer.analytic_first_step}) == 5);
    CHECK(racer.table.levels.front() == Approx(80));
    CHECK(racer.table.levels.back() == Approx(0.002));
  }
  CHECK(texts.size() == all.size());
  for_each_solver([&](const auto& entry) {
    const std::string name(entry.name);
    if (!entry.few_step || name == "heun" || name == "dpm2" || name == "dpm_singlestep")
      return;  // of 2 or 3 evaluations
    CHECK(std::any_of(texts.begin(), texts.end(), [&](const std::string& text) { return text.starts_with(name); }));
  });
  CHECK(texts.count("unipc 2, flow_uniform, 5 steps") == 1);
  CHECK(texts.count("ipndm 3, karras 7, 6 steps, AFS") == 1);
  CHECK(few.size() < all.size() / 3);
}

TEST_CASE("dense teacher: states between its levels") {
  const Schedule dense = karras({.steps = 36});
  const Array x = 80 * cloud(0, 20);
  const auto trajectory = record_teacher_with_slopes(Heun{}, test::plane, dense, x);
  const std::vector<double> levels{80, 60, 25, 7, 1, 0.3, 0.0021, 0.002};
  const auto between = detail::at_levels(trajectory, dense, levels);
  REQUIRE(between.states.size() == levels.size());
  for (std::size_t i = 0; i + 1 < levels.size(); ++i) {
    std::vector<double> fine;  // many steps from the start to that level
    for (int k = 0; k <= 400; ++k) fine.push_back(80 * std::pow(levels[i] / 80, k / 400.));
    const Array exact = i == 0 ? x : integrate(Heun{}, test::plane, Schedule(fine), x).x;
    CHECK((between.states[i] - exact).abs().maxCoeff() < 0.02 * std::max(1., levels[i]));
  }
  CHECK((between.states.back() == trajectory.states.back()).all());
}

TEST_CASE("compare_unseen: intervals, tails, and no verdict that the noise does not bear out") {
  std::vector<double> near, far, spread;
  for (int n = 0; n < 200; ++n) {
    const double square = 1 + 0.5 * std::sin(static_cast<double>(n));
    near.push_back(0.25 * square);
    far.push_back(square);
    spread.push_back(square * (n % 2 == 0 ? 1.3 : 1 / 1.3));
  }
  const UnseenComparison clear = detail::compare_unseen(near, far);
  CHECK(clear.better());
  CHECK(clear.rms_ratio[0] == Approx(0.5));
  CHECK(clear.median_ratio[1] == Approx(0.5));
  CHECK_FALSE(detail::compare_unseen(far, near).better());
  CHECK_FALSE(detail::compare_unseen(far, far).better());
  CHECK_FALSE(detail::compare_unseen(spread, far).better());
  std::vector<double> lost = near;
  lost[3] = detail::lost_sample;
  CHECK(detail::compare_unseen(lost, far).fitted.lost == 1);
  CHECK_FALSE(detail::compare_unseen(lost, far).better());
  std::vector<double> tailed(200, 1e-4);
  for (int n = 0; n < 10; ++n) tailed[static_cast<std::size_t>(n)] = 1;
  CHECK(detail::end_distances(tailed).tail > 0.9);
  CHECK(detail::end_distances(far).tail < 0.1);
  CHECK(UnseenComparison{}.better() == false);
}

TEST_CASE("autotune: better than the best classic solver, on noise of another seed too") {
  std::size_t called = 0;
  const Any counted = [&](const Array& x, double sigma, Array& out) {
    ++called;
    mixture(x, sigma, out);
  };
  AutotuneOptions options{.calls = 6'000};
  std::size_t reported = 0;
  options.report = [&](const AutotuneState& s) {
    reported = s.calls;
    return true;
  };
  const Autotuned found = tuned(counted, options);
  CHECK(static_cast<double>(called) <= 1.1 * 6'000);
  CHECK(reported <= called);
  CHECK(static_cast<double>(reported) > 0.8 * static_cast<double>(called));
  CHECK(found.unseen.better());
  CHECK(found.check.usable_max == 80);
  CHECK(found.leaders.size() > 3);
  CHECK(std::is_sorted(found.leaders.begin(), found.leaders.end(),
                       [](const Racer& a, const Racer& b) { return a.score() < b.score(); }));
  const Array z = cloud(900'000, 500), exact = sample(Heun{}, mixture, karras({.steps = 200}), z).x;
  const auto median = [&](const Table& table, bool afs) {
    const auto run = sample(table, mixture, table.schedule(), z, {.analytic_first_step = afs});
    CHECK(run.evaluations == 5);
    const Array squares = (run.x - exact).square().colwise().mean();
    return std::sqrt(detail::median_of({squares.data(), squares.data() + squares.size()}));
  };
  CHECK(median(found.table, found.analytic_first_step) <
        0.7 * median(found.leaders[0].table, found.leaders[0].analytic_first_step));
}

TEST_CASE("autotune: no success from levels at which the denoiser explodes") {
  const Any bad_top = exploding(0.05);
  AutotuneOptions options = small_search();
  options.sigma_max = 20'000;
  const Autotuned found = tuned(bad_top, options);
  CHECK(found.check.usable_max < 60);
  CHECK(found.table.levels.front() == found.check.usable_max);
  REQUIRE(!found.notes.empty());
  CHECK_THAT(found.notes[0], Contains("the denoiser explodes above the noise level"));
  const auto run = sample(found.table, bad_top, found.table.schedule(), cloud(900'000, 200), found.options());
  CHECK(run.x.abs().maxCoeff() < 5);  // of the size of the data
}

TEST_CASE("autotune: the same result again, and after a stop at any stage") {
  const AutotuneOptions options = small_search();
  const Autotuned whole = tuned(mixture, options);
  const auto same = [&](const Autotuned& other) {
    CHECK(other.text == whole.text);
    CHECK(other.table.levels == whole.table.levels);
    CHECK(other.table.rows.back().weights == whole.table.rows.back().weights);
    CHECK(other.unseen.fitted.rms == whole.unseen.fitted.rms);
    CHECK(other.unseen.samples == whole.unseen.samples);
  };
  same(tuned(mixture, options));
  for (const AutotuneStage stage : {AutotuneStage::teacher, AutotuneStage::race, AutotuneStage::start,
                                    AutotuneStage::refine, AutotuneStage::report}) {
    INFO(to_string(stage));
    AutotuneState kept;
    AutotuneOptions stopped = options;
    stopped.report = [&](const AutotuneState& s) {
      kept = s;
      return s.stage != stage;
    };
    const Autotuned part = tuned(mixture, stopped);
    CHECK(part.unseen.samples == 0);
    CHECK(part.table.rows.empty() == (stage <= AutotuneStage::race));
    AutotuneOptions resumed = options;
    resumed.resume = kept;
    same(tuned(mixture, resumed));
  }
}

TEST_CASE("autotune: the refinement goes on with more trajectories, also after a stop") {
  AutotuneOptions options{.calls = 6'000};
  std::vector<AutotuneState> states;
  options.report = [&](const AutotuneState& s) {
    if (states.empty() || states.back().batches != s.batches) states.push_back(s);
    return true;
  };
  const Autotuned whole = tuned(mixture, options);
  REQUIRE(states.size() > 2);  // before the teacher, at first, and with more
  for (std::size_t k = 2; k < states.size(); ++k) {
    CHECK(states[k].batches > states[k - 1].batches);
    CHECK(states[k].stage == AutotuneStage::refine);
    CHECK(states[k].idle == 0);
    AutotuneOptions resumed = options;
    resumed.report = {};
    resumed.resume = states[k];
    const Autotuned same = tuned(mixture, resumed);
    CHECK(same.table.levels == whole.table.levels);
    CHECK(same.unseen.fitted.rms == whole.unseen.fitted.rms);
  }
}

TEST_CASE("autotune: a guided denoiser's branches are weighed apart, at no more evaluations of the network") {
  const MixtureDenoiser other({.weights = {0.4, 0.6}, .means = {{0.5, 1}, {-1, -0.5}}, .deviations = {0.4, 0.3}});
  std::size_t called = 0;
  const Any second = [&](const Array& x, double sigma, Array& out) { other(x, Level<Array>(sigma), out); };
  const Any counted = [&](const Array& x, double sigma, Array& out) {
    ++called;
    mixture(x, sigma, out);
  };
  const auto denoise = guided(counted, second, {.scale = 2});
  AutotuneOptions options{.calls = 6'000};
  std::vector<AutotuneStart> starts;
  options.report = [&](const AutotuneState& s) {
    starts = s.starts;
    return true;
  };
  const Autotuned found = autotune<Array>(denoise, noise_of, options);
  CHECK(static_cast<double>(called) <= 1.1 * 6'000);
  CHECK(found.table.branches() == 2);
  CHECK(found.table.guidance == 2);
  const auto run = sample(found.table, denoise, found.table.schedule(), cloud(900'000, 50), found.options());
  CHECK(run.total_evaluations <= 10);
  CHECK(std::any_of(starts.begin(), starts.end(), [](const auto& s) { return s.text.ends_with("branches left out"); }));
  options.branches = false;
  CHECK(autotune<Array>(denoise, noise_of, options).table.branches() == 1);
}

TEST_CASE("autotune: options out of range are refused by name") {
  const auto refusal = [](AutotuneOptions options) { return message_of([&] { tuned(mixture, options); }); };
  CHECK(refusal({.evaluations = 1}) == "evaluations is 1; allowed: 2 to 100");
  CHECK(refusal({.calls = 10}) == "calls is 10; allowed: 1000 or more");
  CHECK(refusal({.sigma_min = 0}) == "sigma_min is 0; allowed: positive numbers");
  CHECK(refusal({.sigma_min = 1, .sigma_max = 0.5}) == "sigma_max is 0.5; allowed: above sigma_min");
}
