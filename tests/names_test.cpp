// Names and configurations of other programs.
#include "support/levels.hpp"
#include "support/two_peaks.hpp"

#include <fewstep/io/diffusers.hpp>
#include <fewstep/names.hpp>
#include <fewstep/run.hpp>
#include <fewstep/scalar.hpp>

using namespace fewstep;
using test::message_of;
using test::near;

TEST_CASE("names of other programs select solvers and schedules") {
  const NoiseTable table = NoiseTable::scaled_linear(0.00085, 0.012, 1000);
  const auto is = [](const char* name, const std::string& description) {
    INFO(name);
    const SolverChoice c = solver_by_name(name);
    CHECK(describe(c.solver, c.settings) == description);
    make_solver<double>(c.solver, c.settings);
  };
  for (const char* name : {"dpmpp_2m", "dpm++2m", "DPM++ 2M", "DPM++ 2M Karras", "sample_dpmpp_2m"})
    is(name, "dpmpp: order 2, target denoised, lower_order_final false");
  for (const char* name : {"DPMSolverMultistepScheduler", "DPMSolverMultistep"})
    is(name, "dpmpp: order 2, target denoised, lower_order_final true");
  const std::string adams = "order 4, target slope, variable sigma, lower_order_final false";
  for (const char* name : {"lms", "k_lms", "LMS Karras", "LMSDiscreteScheduler", "sample_lms"})
    is(name, "lms: " + adams + ", reaches_zero true");
  for (const char* name : {"ipndm_v", "deis_rhoab"}) is(name, "ipndm_v: " + adams);
  for (const char* name : {"euler", "Euler", "k_euler", "ddim", "DDIMScheduler", "FlowMatchEulerDiscreteScheduler"})
    is(name, "euler");
  for (const char* name : {"heun", "HeunDiscreteScheduler", "sample_heun"}) is(name, "heun");
  for (const char* name : {"dpm2", "dpm_2", "DPM2 Karras", "KDPM2DiscreteScheduler", "dpm"})
    is(name, "dpm2: ratio 0.5");
  for (const char* name : {"plms", "PLMS"}) is(name, "plms");
  is("pndm", "pndm");
  for (const char* name : {"uni_pc", "UniPC", "uni_pc_bh2"})
    is(name, "unipc: order 3, target denoised, variant bh2, lower_order_final true, uncorrected 0");
  is("dpmpp_3m", "dpmpp: order 3, target denoised, lower_order_final true");
  is("dpmpp_2s", "dpm_singlestep: order 2, target denoised, r1 0.5, r2 0.666667");
  is("res_multistep", "res: order 2, target denoised, variable log_sigma, lower_order_final false");
  is("iPNDM", "ipndm: order 4");
  CHECK(solver_by_name("DPM++ 2M Karras").schedule == "karras");
  CHECK(solver_by_name("DPM++ 2M Exponential").schedule == "log_uniform");
  CHECK(solver_by_name("DPM++ 2M").schedule == std::nullopt);
  for (const char* name : {"euler_a", "Euler a", "dpmpp_sde", "dpmpp_2m_sde", "DPM++ 2S a", "lcm", "tcd", "er_sde",
                           "sa_solver", "restart", "euler_cfg_pp", "sample_euler_ancestral"}) {
    INFO(name);
    CHECK_THAT(message_of([&] { solver_by_name(name); }), Catch::Contains("adds noise"));
  }
  for (const char* name : {"PNDMScheduler", "DPMSolverSinglestep", "DEISMultistepScheduler", "IPNDMScheduler"})
    CHECK_THAT(message_of([&] { solver_by_name(name); }), Catch::Contains("io::from_diffusers()"));
  CHECK_THAT(message_of([] { solver_by_name("dpm_fast"); }), Catch::Contains("DpmFast"));
  CHECK_THAT(message_of([] { solver_by_name("DPM adaptive"); }), Catch::Contains("integrate_adaptive()"));
  CHECK_THAT(message_of([] { solver_by_name("dpmpp_2n"); }), Catch::Contains("did you mean dpmpp2m?"));
  for (const auto& alias : detail::solver_aliases()) make_solver<double>(alias.solver, alias.settings);

  near(schedule_by_name("Exponential", {.steps = 4}), log_uniform({.steps = 4}).levels());
  near(schedule_by_name("kl_optimal", {.steps = 4, .end = End::zero}),
       kl_optimal({.steps = 4, .end = End::zero}).levels());
  near(schedule_by_name("time_quadratic", {.steps = 4}), time_uniform({.steps = 4, .rho = 2}).levels());
  near(schedule_by_name("SGM Uniform", {.steps = 4}, &table), sgm_uniform(table, 4).levels());
  near(schedule_by_name("beta", {.steps = 4}, &table), beta_quantiles(table, 4).levels());
  near(schedule_by_name("ays_sdxl", {.steps = 10, .end = End::zero}), align_your_steps("sdxl").levels());
  CHECK_THAT(message_of([] { schedule_by_name("simple", {.steps = 4}); }), Catch::Contains("NoiseTable"));
  CHECK_THAT(message_of([] { schedule_by_name("karas", {.steps = 4}); }), Catch::Contains("did you mean karras?"));
}

TEST_CASE("a schedule by name takes its range and end from the network's table") {
  const NoiseTable table = NoiseTable::scaled_linear(0.00085, 0.012, 1000);
  const FlowTable flow{.shift = 3};
  near(schedule_by_name("karras", {.steps = 5}, &table), {14.6146, 4.79654, 1.2741, 0.24795, 0.029167, 0}, 1e-5);
  for (const char* name : {"karras", "exponential", "kl_optimal", "polyexponential"}) {
    INFO(name);
    CHECK(schedule_by_name(name, {.steps = 4}, &table)[3] == table.sigma_min());
    CHECK(schedule_by_name(name, {.steps = 4}, &flow)[0] == 1);
    CHECK(schedule_by_name(name, {.steps = 4}, &flow)[4] == 0);
  }
  near(schedule_by_name("karras", {.steps = 4, .sigma_min = 0.1, .sigma_max = 10, .end = End::sigma_min}, &table),
       karras({.steps = 4, .sigma_min = 0.1, .sigma_max = 10}).levels());
  near(schedule_by_name("ays_sd1", {.steps = 10}, &table), align_your_steps("sd1").levels());
  near(schedule_by_name("trailing", {.steps = 4}, &table),
       {level_at(table, 999), level_at(table, 749), level_at(table, 499), level_at(table, 249), 0});
  near(schedule_by_name("trailing", {.steps = 4}, &flow), {1, 0.9, 0.75, 0.5, 0});
  near(schedule_by_name("bong_tangent", {.steps = 5}, &flow), bong_tangent({5}).levels());
  near(schedule_by_name("linear_quadratic", {.steps = 5}, &table),
       linear_quadratic({.steps = 5, .sigma_max = table.sigma_max()}).levels());
  const auto refusal = [&](const char* name, const ScheduleSettings& settings) {
    return message_of([&] { schedule_by_name(name, settings, &flow); });
  };
  CHECK(refusal("simple", {.sigma_min = 0.1}) == "sigma_min is given; allowed: not with the schedule simple");
  CHECK(refusal("normal", {.sigma_max = 2}) == "sigma_max is given; allowed: not with the schedule normal");
  CHECK(refusal("bong_tangent", {.end = End::sigma_min}) ==
        "end is given; allowed: not with the schedule bong_tangent");
  CHECK(refusal("linear_quadratic", {.sigma_min = 1}) ==
        "sigma_min is given; allowed: not with the schedule linear_quadratic");
  CHECK_THAT(refusal("ays_svd", {}), Catch::Contains("lists for a flow"));
  const FlowTable none{.shift = 0};
  for (const char* name : {"normal", "karras"})
    CHECK_THAT(message_of([&] { make_schedule(name, {}, &none); }), Catch::Contains("FlowTable::shift is 0"));
}

TEST_CASE("by name and by configuration a scheduler of diffusers is the same run") {
  const NoiseTable table = NoiseTable::scaled_linear(0.00085, 0.012, 1000);
  const std::pair<const char*, nlohmann::json> spacings[] = {{"trailing", {{"timestep_spacing", "trailing"}}},
                                                             {"karras", {{"use_karras_sigmas", true}}},
                                                             {"exponential", {{"use_exponential_sigmas", true}}}};
  for (const char* name :
       {"EulerDiscreteScheduler", "HeunDiscreteScheduler", "KDPM2DiscreteScheduler", "LMSDiscreteScheduler",
        "DPMSolverMultistepScheduler", "UniPCMultistepScheduler", "DDIMScheduler"})
    for (const auto& [spacing, setting] : spacings) {
      if (name == std::string("DDIMScheduler") && spacing != std::string("trailing")) continue;
      for (const int steps : {4, 5, 8}) {
        INFO(name << " " << spacing << " " << steps);
        nlohmann::json config{{"_class_name", name},
                              {"beta_schedule", "scaled_linear"},
                              {"beta_start", 0.00085},
                              {"beta_end", 0.012},
                              {"clip_sample", false}};
        config.update(setting);
        const auto imported = io::from_diffusers<double>(config, {.num_inference_steps = steps, .single = false});
        const SolverChoice choice = solver_by_name(name);
        const Schedule schedule = schedule_by_name(spacing, {.steps = steps}, &table);
        const auto run = [](const auto& solver, const Schedule& levels, const Options& options) {
          return sample(solver, test::two_peaks, levels, 0.7, options).x;
        };
        const double by_name = run(make_solver<double>(choice.solver, choice.settings), schedule, {});
        CHECK(by_name == Approx(run(imported.solver, imported.schedule, imported.options)).epsilon(1e-10));
      }
    }
}

// golden_check compares runs of valid configurations with those of diffusers (group F).
TEST_CASE("from_diffusers reads a configuration and names a setting that it rejects") {
  using nlohmann::json;
  const auto made = io::from_diffusers<double>({{"_class_name", "DPMSolverMultistepScheduler"},
                                                {"beta_start", 0.00085},
                                                {"beta_end", 0.012},
                                                {"beta_schedule", "scaled_linear"},
                                                {"use_karras_sigmas", true},
                                                {"prediction_type", "v_prediction"},
                                                {"trained_betas", nullptr}},
                                               20);
  CHECK(made.schedule.steps() == 20);
  CHECK(made.schedule[20] == 0);
  CHECK(made.predicts == Predicts::v);
  CHECK(made.table->size() == 1000);
  const auto refusal = [](json config, const char* kind = "DPMSolverMultistepScheduler") {
    config["_class_name"] = kind;
    return message_of([&] { io::from_diffusers<double>(config, 10); });
  };
  CHECK_THAT(refusal({}, "DPMSolverMultistepSheduler"),
             Catch::Contains("_class_name is DPMSolverMultistepSheduler") &&
                 Catch::Contains("did you mean DPMSolverMultistepScheduler?"));
  CHECK(refusal({{"algorithm_type", "sde-dpmsolver++"}}) ==
        "algorithm_type is sde-dpmsolver++; allowed: dpmsolver++, dpmsolver, deis");
  CHECK(refusal({{"solver_order", "two"}}) == "solver_order is two; allowed: a whole number");
  CHECK(refusal({{"timestep_spacing", "even"}}) == "timestep_spacing is even; allowed: linspace, leading, trailing");
  CHECK(refusal({{"clip_sample_range", 0}}, "DDIMScheduler") == "clip_sample_range is 0; allowed: positive numbers");
  CHECK(refusal({{"invert_sigmas", true}}, "FlowMatchEulerDiscreteScheduler") ==
        "invert_sigmas is true; allowed: false");
  CHECK(refusal({{"solver_order", 7}}, "DPMSolverSinglestepScheduler") == "solver_order is 7; allowed: 1 to 3");
  CHECK(refusal({{"disable_corrector", 3}}, "UniPCMultistepScheduler") == "disable_corrector is 3; allowed: a list");
  for (const double count : {-1., 1., 2.9, 1e300})
    CHECK_THAT(refusal({{"num_train_timesteps", count}}, "EulerDiscreteScheduler"),
               Catch::StartsWith("num_train_timesteps is "));
  CHECK(refusal({{"num_train_timesteps", 2.9}}) == "num_train_timesteps is 2.9; allowed: a whole number");
  CHECK(refusal({{"num_train_timesteps", 2'000'000'000}}) ==
        "num_train_timesteps is 2000000000; allowed: 2 to 1000000");
  CHECK(refusal({{"steps_offset", 2147483647}}) == "steps_offset is 2147483647; allowed: 0 to 1000");
  CHECK(refusal({{"thresholding", true}, {"dynamic_thresholding_ratio", 1.5}}) ==
        "dynamic_thresholding_ratio is 1.5; allowed: 0 to 1");
  const auto refused_sigmas = [](std::vector<double> sigmas) {
    return message_of([&] {
      io::from_diffusers<double>({{"_class_name", "FlowMatchEulerDiscreteScheduler"}}, 2, 0, std::move(sigmas));
    });
  };
  CHECK(refused_sigmas({1.5, 0.5}) == "a number of sigmas is 1.5; allowed: above 0, at most 1");
  CHECK(refused_sigmas({1}) == "the number of sigmas is 1; allowed: 2, num_inference_steps");
  for (const nlohmann::json& config : {nlohmann::json({1}), nlohmann::json(5), nlohmann::json()})
    CHECK(message_of([&] { io::from_diffusers<double>(config, 5); }) ==
          std::string("the settings is ") + config.type_name() + "; allowed: an object");
  CHECK(message_of([] { io::from_diffusers<double>({{"_class_name", 5}}, 5); }) == "_class_name is 5; allowed: text");
  CHECK(message_of([] { io::from_diffusers<double>({{"_class_name", "EulerDiscreteScheduler"}}, 0); }) ==
        "num_inference_steps is 0; allowed: 1 to 1000000");
}
