// Schedules over training steps, of flows and as published, and the names of other programs.
#include "support/catch.hpp"
#include "support/types.hpp"

#include <fewstep/io/diffusers.hpp>
#include <fewstep/names.hpp>
#include <fewstep/schedules/flow.hpp>
#include <fewstep/scalar.hpp>

#include <boost/math/special_functions/beta.hpp>

#include <cmath>
#include <string>
#include <vector>

using namespace fewstep;
using test::message_of;

namespace {

const NoiseTable table = NoiseTable::scaled_linear(0.00085, 0.012, 1000);
double at(double step) { return level_at(table, step); }

void near(const Schedule& got, const std::vector<double>& want, double tolerance = 1e-12) {
  REQUIRE(got.size() == want.size());
  for (std::size_t i = 0; i < want.size(); ++i) {
    INFO("level " << i);
    CHECK(std::abs(got[i] - want[i]) <= tolerance * std::abs(want[i]));
  }
}

}  // namespace

TEST_CASE("training steps: linspace, leading, trailing") {
  using V = std::vector<double>;
  CHECK(training_steps(1000, {.steps = 5, .spacing = Spacing::linspace}) == V{999, 749, 500, 250, 0});
  CHECK(training_steps(1000, {.steps = 5, .spacing = Spacing::linspace, .rounded = false})[1] == Approx(749.25));
  CHECK(training_steps(1000, {.steps = 5, .spacing = Spacing::linspace, .spare_last = true}) == V{999, 799, 599, 400, 200});
  CHECK(training_steps(1000, {.steps = 5, .spacing = Spacing::leading}) == V{800, 600, 400, 200, 0});
  CHECK(training_steps(1000, {.steps = 3, .spacing = Spacing::leading, .offset = 1}) == V{667, 334, 1});
  CHECK(training_steps(1000, {.steps = 4, .spacing = Spacing::leading, .offset = 1, .spare_last = true}) == V{801, 601, 401, 201});
  CHECK(training_steps(1000, {.steps = 5, .spacing = Spacing::trailing}) == V{999, 799, 599, 399, 199});
  CHECK(training_steps(10, {.steps = 10, .spacing = Spacing::trailing}) == V{9, 8, 7, 6, 5, 4, 3, 2, 1, 0});
  for (const int steps : {0, 1001})
    CHECK(message_of([&] { training_steps(1000, {.steps = steps}); }) == "steps is " + std::to_string(steps) + "; allowed: 1 to 1000");
}

TEST_CASE("levels between training steps") {
  CHECK(level_at(table, 999) == Approx(14.6146412293).epsilon(1e-9));  // Stable Diffusion's ends
  CHECK(level_at(table, 0) == Approx(0.0291671582).epsilon(1e-8));
  CHECK(level_at(table, 10.25) == Approx(0.75 * at(10) + 0.25 * at(11)).epsilon(1e-13));
  CHECK(level_at(table, 10.25, Between::log_sigma) == Approx(std::pow(at(10), 0.75) * std::pow(at(11), 0.25)).epsilon(1e-13));
  const NoiseTable silent = table.with_zero_terminal_snr();
  CHECK(silent.sigma_max() == Approx(4096).epsilon(1e-6));
  CHECK(silent.sigma_min() == Approx(table.sigma_min()).epsilon(1e-12));
  const auto root = [](const NoiseTable& t, double step) { return 1 / std::sqrt(1 + std::pow(level_at(t, step), 2)); };
  const double first = root(table, 0), last = root(table, 999);
  for (const double step : {100., 500., 900.})
    CHECK(root(silent, step) == Approx((root(table, step) - last) * first / (first - last)).epsilon(1e-10));
}

TEST_CASE("ComfyUI's schedulers") {
  near(simple(table, 4), {at(999), at(749), at(499), at(249), 0});
  near(simple(table, 3), {at(999), at(666), at(333), 0});
  near(ddim_uniform(table, 4), {at(751), at(501), at(251), at(1), 0});
  CHECK(ddim_uniform(table, 7).steps() == 8);  // 142, a whole step, fits eight times
  near(normal(table, 3), {at(999), level_at(table, 499.5, Between::log_sigma), at(0), 0});
  near(sgm_uniform(table, 3), {at(999), at(666), at(333), 0});
  std::vector<double> quantiles;
  for (const double share : {1., 0.75, 0.5, 0.25}) quantiles.push_back(at(std::nearbyint(boost::math::ibeta_inv(0.6, 0.6, share) * 999)));
  quantiles.push_back(0);
  near(beta_quantiles(table, 4), quantiles);
  CHECK(beta_quantiles(table, 999).steps() < 999);  // steps that coincide are one
  for (const double a : {0.3, 0.6, 1., 2.5})
    for (const double b : {0.4, 0.6, 3.})
      for (const double x : {1e-6, 0.1, 0.5, 0.9, 0.999}) {
        CHECK(detail::incomplete_beta(a, b, x) == Approx(boost::math::ibeta(a, b, x)).epsilon(1e-12));
        CHECK(boost::math::ibeta(a, b, beta_quantile(x, a, b)) == Approx(x).epsilon(1e-10));
      }
}

TEST_CASE("schedules by formula") {
  for (int i = 1; i < 4; ++i) {
    const double u = i / 4.;
    CHECK(kl_optimal({.steps = 4})[static_cast<std::size_t>(i)] == Approx(std::tan((1 - u) * std::atan(80.) + u * std::atan(0.002))).epsilon(1e-12));
    CHECK(polyexponential({.steps = 4, .rho = 2})[static_cast<std::size_t>(i)] ==
          Approx(std::exp((1 - u) * (1 - u) * std::log(80 / 0.002) + std::log(0.002))).epsilon(1e-12));
  }
  near(polyexponential({.steps = 5}), log_uniform({.steps = 5}).levels());
}

TEST_CASE("times of flows") {
  near(flow_times({.steps = 4}), {1, 0.75, 0.5, 0.25, 0});
  near(flow_times({.steps = 4, .shift = 3}), {1, 0.9, 0.75, 0.5, 0});
  near(flow_times({.steps = 3, .terminal = 0.1, .last = 0.2}), {1, 1 - 0.4 / 0.8 * 0.9, 0.1, 0});
  near(flow_times({.steps = 1, .shift = 2}), {1, 0});
  CHECK(resolution_shift(256) == Approx(std::exp(0.5)));
  CHECK(resolution_shift(4096) == Approx(std::exp(1.15)));
  CHECK(message_of([] { flow_times({.steps = 3, .shift = 0}); }) == "shift is 0; allowed: positive numbers");
  CHECK(message_of([] { flow_times({.steps = 3, .first = 1.2}); }) == "first is 1.2; allowed: numbers above 0, to 1");
  CHECK(message_of([] { flow_times({.steps = 3, .first = 0.5, .last = 0.5}); }) == "last is 0.5; allowed: 0 and numbers below first");
  CHECK(message_of([] { flow_times({.steps = 3, .terminal = 1}); }) == "terminal is 1; allowed: 0 and numbers below 1");
}

TEST_CASE("published lists, stretched") {
  near(align_your_steps("svd", 10, End::sigma_min), {700, 54.5, 15.886, 7.977, 4.248, 1.789, 0.981, 0.403, 0.173, 0.034, 0.002});
  CHECK(align_your_steps("sd1")[10] == 0);
  near(align_your_steps("sdxl", 5, End::sigma_min), {14.6146412293, 3.7681790315, 1.3405244945, 0.5550693289, 0.2332364134, 0.0291671582});
  CHECK(align_your_steps("sdxl", 20, End::sigma_min)[1] == Approx(std::sqrt(14.6146412293 * 6.3184485287)).epsilon(1e-12));
  CHECK_THAT(message_of([] { align_your_steps("sd2"); }), Catch::Contains("sd1, sdxl, svd"));
  near(stretched({8, 2, 1}, 4), {8, 4, 2, std::sqrt(2), 1});
  CHECK_THAT(message_of([] { stretched({2, 1, 0}, 4); }), Catch::Contains("last level is 0"));
  CHECK_THAT(message_of([] { stretched({2, 1}, 0); }), Catch::Contains("steps is 0"));
}

TEST_CASE("the names of other programs") {
  const auto is = [](const char* name, const char* description) {
    INFO(name);
    const SolverChoice c = solver_by_name(name);
    CHECK(describe(c.solver, c.settings) == description);
    make_solver<double>(c.solver, c.settings);
  };
  const char *dpmpp_2m = "dpmpp: order 2, form data, lower_order_final true", *lms = "ipndm_v: order 4, form noise, variable sigma, lower_order_final false";
  for (const char* name : {"dpmpp_2m", "dpm++2m", "DPM++ 2M", "DPM++ 2M Karras", "sample_dpmpp_2m", "DPMSolverMultistepScheduler", "DPMSolverMultistep"}) is(name, dpmpp_2m);
  for (const char* name : {"lms", "k_lms", "LMS Karras", "LMSDiscreteScheduler", "sample_lms", "deis_rhoab"}) is(name, lms);
  for (const char* name : {"euler", "Euler", "k_euler", "ddim", "DDIMScheduler", "FlowMatchEulerDiscreteScheduler"}) is(name, "euler");
  for (const char* name : {"heun", "HeunDiscreteScheduler", "sample_heun"}) is(name, "heun");
  for (const char* name : {"dpm2", "dpm_2", "DPM2 Karras", "KDPM2DiscreteScheduler", "dpm"}) is(name, "dpm2: ratio 0.5");
  for (const char* name : {"plms", "PLMS", "PNDMScheduler"}) is(name, "plms");
  for (const char* name : {"uni_pc", "UniPC", "uni_pc_bh2"}) is(name, "unipc: order 3, form data, variant bh2, lower_order_final true, uncorrected 0");
  is("dpmpp_3m", "dpmpp: order 3, form data, lower_order_final true");
  is("dpmpp_2s", "dpm_singlestep: order 2, form data, r1 0.5, r2 0.666667");
  is("res_multistep", "res: order 2, form data, variable log_sigma, lower_order_final false");
  is("ipndm_v", lms);
  is("iPNDM", "ipndm: order 4");
  CHECK(solver_by_name("DPM++ 2M Karras").schedule == "karras");
  CHECK(solver_by_name("DPM++ 2M Exponential").schedule == "log_uniform");
  CHECK(solver_by_name("DPM++ 2M").schedule == std::nullopt);
  for (const char* name : {"euler_a", "Euler a", "dpmpp_sde", "dpmpp_2m_sde", "DPM++ 2S a", "lcm", "tcd", "er_sde", "sa_solver", "restart", "euler_cfg_pp", "sample_euler_ancestral"}) {
    INFO(name);
    CHECK_THAT(message_of([&] { solver_by_name(name); }), Catch::Contains("adds noise"));
  }
  CHECK_THAT(message_of([] { solver_by_name("dpmpp_2n"); }), Catch::Contains("did you mean dpmpp2m?"));
  for (const auto& alias : detail::solver_aliases()) make_solver<double>(alias.solver, alias.settings);

  near(schedule_by_name("Exponential", {.steps = 4}), log_uniform({.steps = 4}).levels());
  near(schedule_by_name("kl_optimal", {.steps = 4, .end = End::zero}), kl_optimal({.steps = 4, .end = End::zero}).levels());
  near(schedule_by_name("time_quadratic", {.steps = 4}), time_uniform({.steps = 4, .rho = 2}).levels());
  near(schedule_by_name("SGM Uniform", {.steps = 4}, &table), sgm_uniform(table, 4).levels());
  near(schedule_by_name("beta", {.steps = 4}, &table), beta_quantiles(table, 4).levels());
  near(schedule_by_name("ays_sdxl", {.steps = 10, .end = End::zero}), align_your_steps("sdxl").levels());
  CHECK_THAT(message_of([] { schedule_by_name("simple", {.steps = 4}); }), Catch::Contains("NoiseTable"));
  CHECK_THAT(message_of([] { schedule_by_name("karas", {.steps = 4}); }), Catch::Contains("did you mean karras?"));
}

// What it makes of good configurations, golden_check compares with diffusers' own runs (group F).
TEST_CASE("a diffusers configuration: what it says, and refusals that name the setting") {
  using nlohmann::json;
  const auto made = io::from_diffusers<double>({{"_class_name", "DPMSolverMultistepScheduler"}, {"beta_start", 0.00085}, {"beta_end", 0.012},
                                                {"beta_schedule", "scaled_linear"}, {"use_karras_sigmas", true}, {"prediction_type", "v_prediction"},
                                                {"trained_betas", nullptr}}, 20);
  CHECK(made.schedule.steps() == 20);
  CHECK(made.schedule[20] == 0);
  CHECK(made.predicts == io::Predicts::v);
  CHECK(made.table->size() == 1000);
  const auto refusal = [](json config, const char* kind = "DPMSolverMultistepScheduler") {
    config["_class_name"] = kind;
    return message_of([&] { io::from_diffusers<double>(config, 10); });
  };
  CHECK_THAT(refusal({}, "DPMSolverMultistepSheduler"), Catch::Contains("_class_name is DPMSolverMultistepSheduler") && Catch::Contains("did you mean DPMSolverMultistepScheduler?"));
  CHECK(refusal({{"algorithm_type", "sde-dpmsolver++"}}) == "algorithm_type is sde-dpmsolver++; allowed here: dpmsolver++, dpmsolver");
  CHECK(refusal({{"solver_order", "two"}}) == "solver_order is \"two\", of another type than expected");
  CHECK(refusal({{"timestep_spacing", "even"}}) == "timestep_spacing is even; allowed here: linspace, leading, trailing");
  CHECK_THAT(refusal({{"clip_sample", true}, {"timestep_spacing", "linspace"}}, "DDIMScheduler"), Catch::Contains("clip_sample is true"));
  CHECK(refusal({{"invert_sigmas", true}}, "FlowMatchEulerDiscreteScheduler") == "invert_sigmas is true; allowed here: false");
  CHECK_THAT(refusal({{"solver_order", 7}}), Catch::Contains("order is 7; allowed: 1 to 3"));
  CHECK_THAT(refusal({{"disable_corrector", {3}}}, "UniPCMultistepScheduler"), Catch::Contains("disable_corrector is a list with 3"));
  CHECK(message_of([] { io::from_diffusers<double>({{"_class_name", "EulerDiscreteScheduler"}}, 0); }) == "num_inference_steps is 0; allowed: 1 or more");
}
