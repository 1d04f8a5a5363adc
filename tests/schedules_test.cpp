// Schedules at training steps, for flows, by formula, and as published lists.
#include "support/levels.hpp"

#include <fewstep/schedules.hpp>
#include <fewstep/schedules/flow.hpp>
#include <fewstep/schedules/published.hpp>
#include <fewstep/schedules/training_steps.hpp>

#include <boost/math/special_functions/beta.hpp>

#include <cmath>
#include <string>
#include <vector>

using namespace fewstep;
using test::message_of;
using test::near;

namespace {

const NoiseTable table = NoiseTable::scaled_linear(0.00085, 0.012, 1000);
double at(double step) { return level_at(table, step); }

}  // namespace

TEST_CASE("training_steps: linspace, leading, trailing") {
  using V = std::vector<double>;
  CHECK(training_steps(1000, {.steps = 5, .spacing = Spacing::linspace}) == V{999, 749, 500, 250, 0});
  CHECK(training_steps(1000, {.steps = 2, .spacing = Spacing::linspace}) == V{999, 0});
  CHECK(training_steps(1000, {.steps = 1, .spacing = Spacing::linspace}) == V{0});  // as in numpy
  CHECK(training_steps(1000, {.steps = 5, .spacing = Spacing::linspace, .rounded = false})[1] == Approx(749.25));
  CHECK(training_steps(1000, {.steps = 5, .spacing = Spacing::linspace, .spare_last = true}) ==
        V{999, 799, 599, 400, 200});
  CHECK(training_steps(1000, {.steps = 5, .spacing = Spacing::leading}) == V{800, 600, 400, 200, 0});
  CHECK(training_steps(1000, {.steps = 3, .spacing = Spacing::leading, .offset = 1}) == V{667, 334, 1});
  CHECK(training_steps(1000, {.steps = 4, .spacing = Spacing::leading, .offset = 1, .spare_last = true}) ==
        V{801, 601, 401, 201});
  CHECK(training_steps(1000, {.steps = 5, .spacing = Spacing::trailing}) == V{999, 799, 599, 399, 199});
  CHECK(training_steps(10, {.steps = 10, .spacing = Spacing::trailing}) == V{9, 8, 7, 6, 5, 4, 3, 2, 1, 0});
  for (const int steps : {0, 1001})
    CHECK(message_of([&] { training_steps(1000, {.steps = steps}); }) ==
          "steps is " + std::to_string(steps) + "; allowed: 1 to 1000");
}

TEST_CASE("level_at interpolates between training steps") {
  CHECK(level_at(table, 999) == Approx(14.6146412293).epsilon(1e-9));  // the range of Stable Diffusion
  CHECK(level_at(table, 0) == Approx(0.0291671582).epsilon(1e-8));
  CHECK(level_at(table, 10.25) == Approx(0.75 * at(10) + 0.25 * at(11)).epsilon(1e-13));
  CHECK(level_at(table, 10.25, Between::log_sigma) ==
        Approx(std::pow(at(10), 0.75) * std::pow(at(11), 0.25)).epsilon(1e-13));
  const NoiseTable silent = table.with_zero_terminal_snr();
  CHECK(silent.sigma_max() == Approx(4096).epsilon(1e-6));
  CHECK(silent.sigma_min() == Approx(table.sigma_min()).epsilon(1e-12));
  const auto root = [](const NoiseTable& t, double step) { return 1 / std::sqrt(1 + std::pow(level_at(t, step), 2)); };
  const double first = root(table, 0), last = root(table, 999);
  for (const double step : {100., 500., 900.})
    CHECK(root(silent, step) == Approx((root(table, step) - last) * first / (first - last)).epsilon(1e-10));
}

TEST_CASE("schedules of ComfyUI") {
  near(simple(table, 4), {at(999), at(749), at(499), at(249), 0});
  near(simple(table, 3), {at(999), at(666), at(333), 0});
  near(ddim_uniform(table, 4), {at(751), at(501), at(251), at(1), 0});
  CHECK(ddim_uniform(table, 7).steps() == 8);  // every 142nd step, of which there are 8
  CHECK(message_of([] { ddim_uniform(table, 1000); }) == "steps is 1000; allowed: 1 to 999");
  near(normal(table, 3), {at(999), level_at(table, 499.5, Between::log_sigma), at(0), 0});
  near(sgm_uniform(table, 3), {at(999), at(666), at(333), 0});
  std::vector<double> quantiles;
  for (const double share : {1., 0.75, 0.5, 0.25})
    quantiles.push_back(at(std::nearbyint(boost::math::ibeta_inv(0.6, 0.6, share) * 999)));
  quantiles.push_back(0);
  near(beta_quantiles(table, 4), quantiles);
  CHECK(beta_quantiles(table, 2, 0.6, 40)[0] == at(999));  // always starts at the highest step
  CHECK(beta_quantiles(table, 999).steps() < 999);         // quantiles that round to the same step count once
  for (const double a : {0.3, 0.6, 1., 2.5})
    for (const double b : {0.4, 0.6, 3.})
      for (const double x : {1e-6, 0.1, 0.5, 0.9, 0.999}) {
        CHECK(detail::incomplete_beta(a, b, x) == Approx(boost::math::ibeta(a, b, x)).epsilon(1e-12));
        CHECK(boost::math::ibeta(a, b, beta_quantile(x, a, b)) == Approx(x).epsilon(1e-10));
      }
}

// Values by ComfyUI's formulas in Python.
TEST_CASE("ComfyUI's schedules over a table and over flows") {
  const auto all = [](const auto& levels, int steps, const std::vector<std::vector<double>>& want) {
    near(simple(levels, steps), want[0], 1e-9);
    near(ddim_uniform(levels, steps), want[1], 1e-9);
    near(normal(levels, steps), want[2], 1e-9);
    near(sgm_uniform(levels, steps), want[3], 1e-9);
    near(beta_quantiles(levels, steps), want[4], 1e-9);
  };
  all(table, 4,
      {{14.61464123, 4.081729364, 1.612886194, 0.6932048996, 0},
       {4.116696479, 1.623692082, 0.6983980912, 0.041314412, 0},
       {14.61464123, 2.918307115, 0.9323579668, 0.02916715815, 0},
       {14.61464123, 4.086081071, 1.61558026, 0.6951495191, 0},
       {14.61464123, 5.686591454, 1.618278826, 0.5153906127, 0}});
  const std::vector<double> once{14.61464123, 0};
  all(table, 1, {once, {0.041314412, 0}, once, once, once});
  all(FlowTable{.shift = 3}, 4,
      {{1, 0.9, 0.75, 0.5, 0},
       {0.9009584665, 0.751497006, 0.5026595745, 0.005976095618, 0},
       {1, 0.8576923077, 0.6021505376, 0.008928571429, 0},
       {1, 0.9003590664, 0.7511210762, 0.5029850746, 0},
       {1, 0.9335347432, 0.7507492507, 0.3921713442, 0}});
  all(FlowTable{.shift = std::exp(1.15), .count = 10000}, 4,
      {{1, 0.9045307667, 0.7595109169, 0.5128441015, 0},
       {0.9046228634, 0.7596570099, 0.5131105175, 0.00063136606, 0},
       {1, 0.8633763758, 0.6124921272, 0.0009965239467, 0},
       {1, 0.9045671199, 0.7596262445, 0.5131595396, 0},
       {1, 0.9367757826, 0.759583971, 0.4024983053, 0}});
  CHECK(FlowTable{}.shift == 1);
  near(normal(table, 2), {14.61464123, 0.02916715815, 0}, 1e-9);
  near(flow_times({.steps = 3, .first = 0.8, .last = 0.2}), {0.8, 0.5, 0.2, 0}, 1e-12);
  CHECK(message_of([] { simple(FlowTable{.shift = 1000.5}, 4); }) ==
        "FlowTable::shift is 1000.5; allowed: 0.1 to 1000");
  CHECK(message_of([] { simple(FlowTable{.shift = 2000}, 4); }) == "FlowTable::shift is 2000; allowed: 0.1 to 1000");
  CHECK(message_of([] { normal(FlowTable{.count = 1}, 1); }) == "FlowTable::count is 1; allowed: 2 or more");
}

TEST_CASE("linear_quadratic and bong_tangent") {
  near(linear_quadratic({.steps = 1, .sigma_max = 80}), {80, 0});
  near(linear_quadratic({.steps = 5}), {1, 0.9875, 0.975, 2.575 / 3, 1.6 / 3, 0}, 1e-9);
  near(linear_quadratic({.steps = 8, .sigma_max = 2}), {2, 1.9875, 1.975, 1.9625, 1.95, 1.81875, 1.45, 0.84375, 0},
       1e-9);
  near(linear_quadratic({.steps = 3, .threshold = 0.2, .linear_steps = 1}), {1, 0.8, 0.5, 0}, 1e-9);
  near(bong_tangent({2}), {1, 0.5, 0});
  near(bong_tangent({5}), {1, 0.9320355762, 0.8043062727, 0.5, 0.1322614346, 0}, 1e-9);
  near(bong_tangent({.steps = 8, .sigma_max = 10}),
       {10, 9.713438782, 9.294229579, 8.628878668, 7.442997072, 5, 2.131216179, 0.6964603331, 0}, 1e-9);
  CHECK(message_of([] { bong_tangent({1}); }) == "steps is 1; allowed: 2 to 1000000");
  CHECK(message_of([] { linear_quadratic({.steps = 4, .threshold = 1}); }) ==
        "threshold is 1; allowed: numbers between 0 and 1");
  CHECK(message_of([] { linear_quadratic({.steps = 4, .linear_steps = 4}); }) == "linear_steps is 4; allowed: 1 to 3");
}

TEST_CASE("flow_uniform is uniform in the flow's time") {
  const Schedule levels = flow_uniform({.steps = 5, .sigma_min = 0.25, .sigma_max = 4});  // times 0.8 to 0.2
  for (std::size_t i = 0; i <= 5; ++i)
    CHECK(levels[i] / (1 + levels[i]) == Approx(0.8 - 0.12 * static_cast<double>(i)).epsilon(1e-12));
  CHECK(flow_uniform({.steps = 3, .end = End::zero}).levels().back() == 0);
}

TEST_CASE("kl_optimal and polyexponential follow their formulas") {
  for (int i = 1; i < 4; ++i) {
    const double u = i / 4.;
    CHECK(kl_optimal({.steps = 4})[static_cast<std::size_t>(i)] ==
          Approx(std::tan((1 - u) * std::atan(80.) + u * std::atan(0.002))).epsilon(1e-12));
    CHECK(polyexponential({.steps = 4, .rho = 2})[static_cast<std::size_t>(i)] ==
          Approx(std::exp((1 - u) * (1 - u) * std::log(80 / 0.002) + std::log(0.002))).epsilon(1e-12));
  }
  near(polyexponential({.steps = 5}), log_uniform({.steps = 5}).levels());
}

TEST_CASE("flow_times: shift, terminal, errors") {
  near(flow_times({.steps = 4}), {1, 0.75, 0.5, 0.25, 0});
  near(flow_times({.steps = 4, .shift = 3}), {1, 0.9, 0.75, 0.5, 0});
  near(flow_times({.steps = 3, .terminal = 0.1, .last = 0.2}), {1, 1 - 0.4 / 0.8 * 0.9, 0.1, 0});
  near(flow_times({.steps = 1, .shift = 2}), {1, 0});
  near(flow_times({.steps = 2}), {1, 0.5, 0});
  near(flow_times({.steps = 2, .terminal = 0.1}), {1, 0.1, 0});
  CHECK(resolution_shift(256) == Approx(std::exp(0.5)));
  CHECK(resolution_shift(4096) == Approx(std::exp(1.15)));
  CHECK(message_of([] { flow_times({.steps = 3, .shift = 0}); }) == "shift is 0; allowed: positive numbers");
  CHECK(message_of([] { flow_times({.steps = 3, .first = 1.2}); }) == "first is 1.2; allowed: above 0, at most 1");
  CHECK(message_of([] { flow_times({.steps = 3, .first = 0.5, .last = 0.5}); }) ==
        "last is 0.5; allowed: 0 or more, below first");
  CHECK(message_of([] { flow_times({.steps = 3, .terminal = 1}); }) == "terminal is 1; allowed: 0 or more, below 1");
}

TEST_CASE("published schedules, also stretched to other numbers of steps") {
  near(align_your_steps("svd", 10, End::sigma_min),
       {700, 54.5, 15.886, 7.977, 4.248, 1.789, 0.981, 0.403, 0.173, 0.034, 0.002});
  near(align_your_steps("sd1", 10, End::sigma_min),
       {14.6146412293, 6.4745760956, 3.8636745985, 2.6946151520, 1.8841921177, 1.3943805092, 0.9642583904, 0.6523686016,
        0.3977456272, 0.1515232662, 0.0291671582});
  near(align_your_steps("sdxl", 10, End::sigma_min),
       {14.6146412293, 6.3184485287, 3.7681790315, 2.1811480769, 1.3405244945, 0.8620721141, 0.5550693289, 0.3798540708,
        0.2332364134, 0.1114188177, 0.0291671582});
  CHECK(align_your_steps("sd1")[10] == 0);
  near(align_your_steps("sdxl", 5, End::sigma_min),
       {14.6146412293, 3.7681790315, 1.3405244945, 0.5550693289, 0.2332364134, 0.0291671582});
  CHECK(align_your_steps("sdxl", 20, End::sigma_min)[1] ==
        Approx(std::sqrt(14.6146412293 * 6.3184485287)).epsilon(1e-12));
  CHECK_THAT(message_of([] { align_your_steps("sd2"); }), Catch::Contains("sd1, sdxl, svd"));
  near(stretched({8, 2, 1}, 4), {8, 4, 2, std::sqrt(2), 1});
  CHECK_THAT(message_of([] { stretched({2, 1, 0}, 4); }), Catch::Contains("last level is 0"));
  CHECK_THAT(message_of([] { stretched({2, 1}, 0); }), Catch::Contains("steps is 0"));
}

TEST_CASE("numbers that would overflow, never converge or fill the memory are rejected") {
  CHECK(message_of([] { beta_quantiles(table, 2, 1e308, 1e308); }) == "a and b is 1e+308; allowed: 0.01 to 1000");
  CHECK(message_of([] { beta_quantiles(table, 2, 0.6, NAN); }) == "a and b is nan; allowed: 0.01 to 1000");
  CHECK_THAT(message_of([] { beta_quantiles(table, 2'000'000'000); }), Catch::Contains("allowed: 1 to 1000000"));
  CHECK_THAT(message_of([] { karras({.steps = 2'000'000'000}); }), Catch::Contains("allowed: 1 to 1000000"));
  CHECK_THAT(message_of([] { training_steps(1000, {.steps = 10, .offset = 2147483647}); }),
             Catch::Contains("offset is 2147483647; allowed: 0 to 1000"));
  CHECK(message_of([] { table.sigma(NAN); }) == "the training time is nan; allowed: finite numbers");
  CHECK(message_of([] { NoiseTable({0.5, 1e-300}); }) ==
        "beta 1 is 1e-300; allowed: numbers that change the product of 1 - beta");
  CHECK_THAT(message_of([] { NoiseTable({1e-300, 1e-300}).with_zero_terminal_snr(); }),
             Catch::Contains("alpha at the last training step is 1; allowed: less than at the first"));
  CHECK(message_of([] { Schedule({1e101, 1}); }) ==
        "noise level 0 is 1e+101; allowed: 1e-100 to 1e100, 0 only as the end of a decreasing schedule");
  CHECK_THAT(message_of([] { Schedule({1, 1e-101}); }), Catch::Contains("noise level 1 is 1e-101"));
  CHECK_THAT(message_of([] { karras({.steps = 3, .sigma_max = 1e200}); }), Catch::Contains("sigma_max is 1e+200"));
}
