// Recorded cases of k-diffusion's samplers, and the runs that choose their own steps.
#include "support/catch.hpp"
#include "support/k_diffusion_run.hpp"
#include "support/message.hpp"

#include <fstream>

using namespace fewstep;
using test::Batch;
using test::message_of;
using test::two_peaks_of_batch;

namespace {

Batch starts() { return Batch{{-1.5, -0.7, -0.1, 0.2, 0.9, 1.7}}; }

}  // namespace

TEST_CASE("k_diffusion: samplers by name give the samples of k-diffusion 0.1.1") {
  std::ifstream file(FEWSTEP_TEST_CASES "/k_diffusion.jsonl");
  int cases = 0;
  for (std::string line; std::getline(file, line); ++cases) {
    INFO(line);
    const auto c = nlohmann::json::parse(line);
    const auto got = test::k_diffusion_run(c);
    CHECK(got.at("evals") == c.at("peer").at("evals"));
    for (std::size_t i = 0; i < 6; ++i) {
      const double want = c.at("peer").at("x").at(i);
      CHECK(std::abs(got.at("x").at(i).get<double>() - want) <= 1e-7 * (std::max)(1., std::abs(want)));
    }
  }
  CHECK(cases == 100);
}

TEST_CASE("DpmFast takes exactly nfe evaluations") {
  for (int nfe = 1; nfe <= 12; ++nfe) {
    INFO("nfe " << nfe);
    const DpmFast solver{nfe};
    const Schedule schedule = log_uniform({.steps = solver.steps()});
    CHECK(evaluations(solver, schedule) == nfe);
    CHECK(sample(solver, two_peaks_of_batch, schedule, starts()).evaluations == nfe);
  }
  CHECK(message_of([] { sample(DpmFast{0}, two_peaks_of_batch, karras({.steps = 1}), starts()); }) ==
        "DpmFast::nfe is 0; allowed: 1 to 1000000");
  CHECK(message_of([] { sample(DpmFast{7}, two_peaks_of_batch, karras({.steps = 7}), starts()); }) ==
        "the steps of the schedule is 7; allowed: 3 for DpmFast with nfe 7");
}

TEST_CASE("integrate_adaptive: error, evaluations and ends") {
  const Batch x = 80 * starts();
  const auto exact = integrate_adaptive(two_peaks_of_batch, 80, 0.002, x, {.relative = 1e-6, .absolute = 1e-6});
  double before = 1;
  for (const double tolerance : {1e-2, 1e-3, 1e-4}) {
    const auto run =
        integrate_adaptive(two_peaks_of_batch, 80, 0.002, x, {.relative = tolerance, .absolute = tolerance});
    CHECK(run.status == Status::complete);
    CHECK(run.levels.front() == 80);
    CHECK(run.levels.back() == 0.002);
    const int accepted = static_cast<int>(run.levels.size()) - 1;
    CHECK(run.evaluations == 3 * accepted + 2 * run.rejected);
    const double error = (run.x - exact.x).abs().maxCoeff();
    CHECK(error < before);
    before = error;
  }
  CHECK(before < 1e-3);
  const auto inverted =
      integrate_adaptive(two_peaks_of_batch, 0.002, 80, exact.x, {.relative = 1e-6, .absolute = 1e-6});
  CHECK((inverted.x - x).abs().maxCoeff() < 1e-3 * 80);
  int calls = 0;
  const auto stopped = integrate_adaptive(two_peaks_of_batch, 80, 0.002, x, {.stop = [&] { return ++calls > 7; }});
  CHECK(stopped.status == Status::cancelled);
  CHECK(stopped.evaluations == 7);
  const auto limited =
      integrate_adaptive(two_peaks_of_batch, 80, 0.002, x, {.relative = 0, .absolute = 1e-6, .most_evaluations = 50});
  CHECK(limited.status == Status::cancelled);
  CHECK(limited.evaluations <= 50);
  CHECK(integrate_adaptive(two_peaks_of_batch, 80, 0.002, x, {.integral = 300, .derivative = -200}).status ==
        Status::non_finite);
  const auto nan = [](const Batch& y, double) -> Batch { return y * std::nan(""); };
  CHECK(integrate_adaptive(nan, 80, 0.002, x).status == Status::non_finite);
}

TEST_CASE("integrate_adaptive: double and batch of one agree, and options are checked") {
  for (const int order : {2, 3}) {
    const auto one = integrate_adaptive(test::two_peaks, 80, 0.01, 60., {.order = order});
    const auto batch = integrate_adaptive(two_peaks_of_batch, 80, 0.01, Batch{{60.}}, {.order = order});
    CHECK(one.x == Approx(batch.x(0)).epsilon(1e-12));
    CHECK(one.levels.size() == batch.levels.size());
  }
  const AdaptiveOptions defaults;
  CHECK(defaults.relative == 0.05);
  CHECK(defaults.absolute == 0.0078);
  CHECK(defaults.proportional == 0);
  CHECK(defaults.integral == 1);
  CHECK(defaults.derivative == 0);
  CHECK(defaults.most_evaluations == 100'000);
  const auto refusal = [](const AdaptiveOptions& options, double from = 80, double to = 0.1) {
    return message_of([&] { integrate_adaptive(test::two_peaks, from, to, 1., options); });
  };
  CHECK(refusal({.order = 1}) == "order is 1; allowed: 2 or 3");
  CHECK(refusal({.relative = -1}) == "relative is -1; allowed: 0 or more");
  CHECK(refusal({.absolute = 0}) == "absolute is 0; allowed: positive numbers");
  CHECK(refusal({.first_step = 0}) == "first_step is 0; allowed: positive numbers");
  CHECK(refusal({.accept_safety = 1}) == "accept_safety is 1; allowed: numbers between 0 and 1");
  CHECK(refusal({.most_evaluations = 2}) == "most_evaluations is 2; allowed: 3 or more");
  CHECK(refusal({}, 80, 0) == "a noise level is 0; allowed: 1e-100 to 1e100");
  CHECK(refusal({}, 1, 1) == "the last level is 1; allowed: another level than the first");
}
