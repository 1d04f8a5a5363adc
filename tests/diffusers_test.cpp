// The import of diffusers' schedulers: recorded runs, single settings with the levels that diffusers has for them,
// files, and networks.
#include "support/catch.hpp"
#include "support/diffusers_run.hpp"
#include "support/message.hpp"
#include "support/worst.hpp"

#include <fewstep/io/diffusers.hpp>
#include <fewstep/run.hpp>
#include <fewstep/scalar.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <numbers>
#include <string>
#include <vector>

using namespace fewstep;
using nlohmann::json;
using test::message_of;

namespace {

using V = std::vector<double>;
namespace fs = std::filesystem;

struct Tally {
  int right = 0, refused = 0;
  std::string problems;  // what is wrong, or accepted although diffusers refuses it
};

/// Runs recorded cases.
Tally run_cases(const char* file) {
  constexpr double tolerance = 2e-4;  // diffusers computes in float
  std::ifstream in(fs::path(FEWSTEP_TEST_CASES) / file);
  Tally tally;
  for (std::string line; std::getline(in, line);) {
    const json c = io::parse_scheduler(line);
    json ours;
    try {
      ours = test::diffusers_run(c);
    } catch (const std::invalid_argument&) {
      ++(c.contains("error") ? tally.right : tally.refused);
      continue;
    }
    double distance = c.contains("error") ? std::numeric_limits<double>::infinity() : 0;
    for (std::size_t i = 0; distance <= tolerance && i < ours["x"].size(); ++i)
      distance = test::worst(distance, std::abs(ours["x"][i].get<double>() - c["x"][i].get<double>()));
    if (distance <= tolerance && ours["evals"] == c["evals"]) ++tally.right;
    else tally.problems += io::dump_json(c) + "\n";
  }
  return tally;
}

V levels(const json& config, int steps, std::optional<double> mu = {}, const V& sigmas = {}) {
  return io::from_diffusers<double>(config, steps, mu, sigmas).schedule.levels();
}

/// Compares levels, the last one aside where it stands for 0.
void near(const V& computed, const V& expected, double tolerance = 2e-5) {
  REQUIRE(computed.size() == expected.size());
  for (std::size_t i = 0; i < computed.size(); ++i) {
    INFO("level " << i);
    CHECK(std::abs(computed[i] - expected[i]) <= tolerance * (expected[i] + 1e-9));
  }
}

const json stable_diffusion{{"beta_start", 0.00085}, {"beta_end", 0.012}, {"beta_schedule", "scaled_linear"}};

json scheduler(const char* name, json settings = json::object()) {
  settings["_class_name"] = name;
  return settings;
}
json sd_scheduler(const char* name, json settings = json::object()) {
  for (const auto& [key, value] : stable_diffusion.items()) settings[key] = value;
  return scheduler(name, settings);
}

std::string refusal(const json& config, int steps = 5, std::optional<double> mu = {}, const V& sigmas = {}) {
  return message_of([&] { io::from_diffusers<double>(config, steps, mu, sigmas); });
}

/// A file in the folder of temporary files that is removed again.
struct TemporaryFile {
  fs::path path = fs::temp_directory_path() / "fewstep_scheduler_config.json";
  explicit TemporaryFile(const std::string& text) { std::ofstream(path) << text; }
  ~TemporaryFile() { fs::remove(path); }
};

}  // namespace

TEST_CASE("diffusers: random configurations run as in diffusers 0.42.1, or are refused") {
  const Tally tally = run_cases("diffusers_random.jsonl");
  CHECK(tally.problems == "");
  CHECK(tally.right + tally.refused == 300);
  CHECK(tally.right >= 285);
}

TEST_CASE("diffusers: schedulers that are rare among the random ones") {
  const Tally tally = run_cases("diffusers_others.jsonl");
  CHECK(tally.problems == "");
  CHECK(tally.right + tally.refused == 83);
  CHECK(tally.right >= 73);  // float arithmetic decides most of the others
}

TEST_CASE("diffusers: every order of the solvers that have several") {
  const Tally tally = run_cases("diffusers_orders.jsonl");
  CHECK(tally.problems == "");
  CHECK(tally.right == 41);
}

TEST_CASE("diffusers: DEIS of order 3 on levels so close that diffusers' float weights cancel is refused") {
  const json config = sd_scheduler(
      "DEISMultistepScheduler", {{"use_beta_sigmas", true}, {"solver_order", 3}, {"prediction_type", "v_prediction"}});
  CHECK_THAT(message_of([&] { io::from_diffusers<double>(config, 12, {}, {}); }),
             Catch::Contains("diffusers' float arithmetic changes samples by 0.0007"));
  CHECK_NOTHROW(io::from_diffusers<double>(config, 5, {}, {}));
}

TEST_CASE("diffusers: IPNDM runs in float too, although its first level has no signal") {
  const nlohmann::json config{{"_class_name", "IPNDMScheduler"}};
  const auto run = [&](const auto& noise) {
    using X = std::decay_t<decltype(noise)>;
    const auto made = io::from_diffusers<X>(config, 6);
    CHECK(made.schedule[0] < 10);
    CHECK(made.start_scale == made.schedule[0]);
    const auto denoise = [](const X& x, double level) -> X {
      return x.unaryExpr([&](auto v) { return static_cast<decltype(v)>(test::two_peaks(v, level)); });
    };
    return sample(made.solver, denoise, made.schedule, noise, made.options).x;
  };
  Eigen::ArrayXXf start(1, 6);
  start << -1.5f, -0.7f, -0.1f, 0.2f, 0.9f, 1.7f;
  const Eigen::ArrayXXd wide = start.cast<double>();
  CHECK((run(start).cast<double>() - run(wide)).abs().maxCoeff() < 1e-5);

  auto late = io::from_diffusers<double>(config, 8);  // image-to-image: plain iPNDM on the levels that are left
  io::set_strength(late, 0.5);
  const std::vector<double>& all = late.schedule.levels();
  const auto rest = integrate(late.solver, test::two_peaks, late.schedule, 0.7, late.options);
  const auto plain = integrate(Ipndm{}, test::two_peaks, Schedule({all.begin() + 4, all.end()}), 0.7);
  CHECK(rest.x == plain.x);
  CHECK(rest.evaluations == 4);
  CHECK(late.idle_evaluations == 0);
  auto whole = io::from_diffusers<double>(config, 8);
  io::set_strength(whole, 1);
  CHECK(whole.idle_evaluations == 1);
}

TEST_CASE("diffusers: published configurations run as in diffusers 0.42.1") {
  const Tally tally = run_cases("diffusers_files.jsonl");
  CHECK(tally.problems == "");
  CHECK(tally.right == 78);
}

TEST_CASE("diffusers: sigma_min and sigma_max bound Karras's levels, and labels may be continuous") {
  const auto made =
      io::from_diffusers<double>(sd_scheduler("EulerDiscreteScheduler", {{"use_karras_sigmas", true},
                                                                         {"sigma_min", 0.002},
                                                                         {"sigma_max", 700},
                                                                         {"timestep_type", "continuous"},
                                                                         {"prediction_type", "v_prediction"}}),
                                 5);
  near(made.schedule.levels(), {700, 134.8544, 15.58997, 0.678146, 0.002, 0});
  for (std::size_t i = 0; i < 5; ++i) CHECK(made.label(made.schedule[i]) == Approx(std::log(made.schedule[i]) / 4));
}

TEST_CASE("diffusers: schedulers of one step, since more would add noise") {
  const auto cosine = io::from_diffusers<double>(scheduler("CosineDPMSolverMultistepScheduler"), 1);
  near(cosine.schedule.levels(), {0.3, 0});  // the lowest level: of one step, diffusers takes the last
  CHECK(cosine.labels == V{2 / std::numbers::pi * std::atan(cosine.schedule[0])});
  CHECK(cosine.predicts == Predicts::edm);
  CHECK(cosine.edm_sign == -1);
  CHECK(cosine.sigma_data == 1);
  CHECK_THAT(refusal(scheduler("CosineDPMSolverMultistepScheduler"), 2), Catch::Contains("other steps add noise"));
  const json zero_snr{{"timestep_spacing", "trailing"}, {"prediction_type", "v_prediction"}};
  CHECK(levels(scheduler("CogVideoXDPMScheduler", zero_snr), 1) ==
        levels(scheduler("CogVideoXDDIMScheduler", zero_snr), 1));
  CHECK_THAT(refusal(scheduler("CogVideoXDPMScheduler"), 2), Catch::Contains("more steps add noise"));
}

TEST_CASE("diffusers: levels of flows") {
  const json wan = scheduler("UniPCMultistepScheduler",
                             {{"use_flow_sigmas", true}, {"flow_shift", 3}, {"prediction_type", "flow_prediction"}});
  V times;
  for (const double level : levels(wan, 6)) times.push_back(level / (1 + level));
  near(times, {0.999999, 0.93757, 0.857327, 0.750375, 0.600719, 0.376404, 0});
  const json ltx =
      scheduler("FlowMatchEulerDiscreteScheduler", {{"use_dynamic_shifting", true}, {"shift_terminal", 0.1}});
  near(levels(ltx, 5, 1.3, {1, 0.8, 0.6, 0.4, 0.2}), {1, 0.88993, 0.734685, 0.499277, 0.1, 0});
  CHECK(refusal(ltx) == "mu is missing; allowed: a number with use_dynamic_shifting");
  json linear = ltx;
  linear["time_shift_type"] = "linear";
  CHECK(levels(linear, 2, 3., {1, 0.5})[1] == Approx(0.1));  // shifted to 3/4, and stretched
  const json shifted = scheduler("FlowMatchEulerDiscreteScheduler", {{"shift", 3}});
  const auto twice = io::from_diffusers<double>(shifted, 2);
  CHECK(twice.notes == std::vector<std::string>{"the smallest time is shifted twice"});
  const double once = 3 * 0.001 / (1 + 2 * 0.001);
  CHECK(twice.schedule[1] == Approx(3 * once / (1 + 2 * once)));
  const io::SetTimesteps corrected{.num_inference_steps = 2, .corrected = true};
  CHECK(io::from_diffusers<double>(shifted, corrected).schedule[1] == Approx(once));
}

TEST_CASE("diffusers: a setting is honoured, refused or listed") {
  CHECK(refusal(sd_scheduler("EulerDiscreteScheduler", {{"use_karras_sigmas", nullptr}})) ==
        "use_karras_sigmas is null; allowed: a value, or none at all");
  CHECK(refusal(sd_scheduler("EulerDiscreteScheduler", {{"use_karras_sigmas", true}, {"use_beta_sigmas", true}})) ==
        "use_beta_sigmas is true; allowed: false with use_karras_sigmas");
  CHECK_THAT(refusal(sd_scheduler("EulerDiscreteScheduler", {{"use_exponential_sigmas", true}, {"sigma_max", 700}})),
             Catch::StartsWith("the first label of the run is 999"));
  CHECK(refusal(sd_scheduler("HeunDiscreteScheduler"), 5, 1.) ==
        "mu is 1; allowed: none for this scheduler and its settings");
  CHECK(refusal(sd_scheduler("HeunDiscreteScheduler"), 2, {}, {2, 1}) ==
        "the number of sigmas is 2; allowed: none: diffusers' scheduler takes no sigmas");
  CHECK_THAT(refusal(sd_scheduler("EulerAncestralDiscreteScheduler")), Catch::StartsWith("num_inference_steps is 5"));
  CHECK_THAT(refusal(sd_scheduler("DDIMScheduler", {{"steps_offset", 1}}), 1000),
             Catch::Contains("as many steps as training steps"));
  CHECK_THAT(refusal(sd_scheduler("PNDMScheduler"), 3), Catch::Contains("4 or more without skip_prk_steps"));
  CHECK(refusal(sd_scheduler("KDPM2DiscreteScheduler", {{"prediction_type", "sample"}})) ==
        "prediction_type is sample; allowed: epsilon, v_prediction");
  const auto made = io::from_diffusers<double>(
      sd_scheduler(
          "EulerDiscreteScheduler",
          {{"skip_prk_steps", true}, {"clip_sample", false}, {"_diffusers_version", "0.42.1"}, {"sigma_min", nullptr}}),
      5);
  CHECK(made.ignored == std::vector<std::string>{"clip_sample", "skip_prk_steps"});
  json written = sd_scheduler("EulerDiscreteScheduler", {{"use_karras_sigmas", true}});
  written["_use_default_values"] = {"use_karras_sigmas"};
  CHECK(levels(written, 5) == levels(sd_scheduler("EulerDiscreteScheduler"), 5));
}

TEST_CASE("diffusers: names of other families' algorithms stand for the own one") {
  const json dpm = sd_scheduler("DPMSolverMultistepScheduler", {{"solver_type", "midpoint"}});
  json unipc = dpm;
  unipc["_class_name"] = "UniPCMultistepScheduler";
  unipc["algorithm_type"] = "dpmsolver++";
  const auto made = io::from_diffusers<double>(unipc, 5);
  CHECK(made.ignored == std::vector<std::string>{"algorithm_type"});
  CHECK(refusal(sd_scheduler("DPMSolverMultistepScheduler", {{"algorithm_type", "deis"}})) ==
        "algorithm_type is deis; allowed: dpmsolver++ with the final_sigmas_type zero");
}

TEST_CASE("diffusers: DDIM's steps lead to another level than the next, unless corrected") {
  const json config = sd_scheduler("DDIMScheduler", {{"clip_sample", false}, {"timestep_spacing", "trailing"}});
  const auto run = [&](bool corrected) {
    const auto made =
        io::from_diffusers<double>(config, io::SetTimesteps{.num_inference_steps = 6, .corrected = corrected});
    CHECK(made.notes.size() == 1);
    return sample(made.solver, test::two_peaks, made.schedule, 0.9, made.options).x;
  };
  CHECK(std::abs(run(false) - run(true)) > 1e-3);
  CHECK(io::from_diffusers<double>(config, 5).notes.empty());
}

TEST_CASE("diffusers: files are read as Python writes them, and errors name file, setting and value") {
  {
    const TemporaryFile file(R"({"_class_name": "DPMSolverMultistepScheduler", "lambda_min_clipped": -Infinity,
      "note": "NaN, \"Infinity\" and -Infinity", "solver_type": "midpoint"})");
    const json config = io::read_scheduler(file.path);
    CHECK(config["lambda_min_clipped"] == -std::numeric_limits<double>::infinity());
    CHECK(config["note"] == "NaN, \"Infinity\" and -Infinity");
    CHECK(io::from_diffusers<double>(config, 5).ignored == std::vector<std::string>{"note"});
    CHECK(io::read_scheduler<double>(file.path, {5}).schedule.steps() == 5);
    CHECK(message_of([&] { io::read_scheduler<double>(file.path, {0}); }) ==
          file.path.string() + ": num_inference_steps is 0; allowed: 1 to 1000000");
  }
  const auto error_of = [](const std::string& text) {
    const TemporaryFile file(text);
    const std::string error = message_of([&] { io::read_scheduler(file.path); }), prefix = file.path.string() + ": ";
    CHECK(error.starts_with(prefix));
    return error.substr((std::min)(prefix.size(), error.size()));
  };
  CHECK(error_of(R"({"_class_name": null})") == "_class_name is null; allowed: text");
  CHECK(error_of("{}") == "_class_name is missing; allowed: text");
  CHECK(error_of(R"({"_class_name": "EulerDiscreteScheduler", "num_train_timesteps": -1000})") ==
        "num_train_timesteps is -1000; allowed: 2 to 1000000");
  CHECK(error_of(R"({"_class_name": "EulerDiscreteScheduler", "beta_start": NaN})") ==
        "beta_start is nan; allowed: a number");
  CHECK(error_of(R"({"a": 1, "a": 2})") == "a is given twice; allowed: once");
  CHECK(error_of("[1]") == "the settings is array; allowed: an object");
  CHECK(error_of("[" + std::string(100, '[')).find("the depth of nesting") == 0);
  CHECK(message_of([] { io::parse_scheduler(std::string(io::scheduler_size_limit + 1, ' ')); }) ==
        "the size of the text is 1048577; allowed: 1048576 bytes or less");
  CHECK(message_of([] { io::read_scheduler("/nonexistent/config.json"); }) == "/nonexistent/config.json: no such file");
}

TEST_CASE("diffusers: diffusers_denoiser wraps what each network predicts") {
  // Networks that predict from their input z = alpha x0 + deviation n what the two-peak denoiser implies.
  const auto image = [](double z, double alpha, double deviation) {
    return test::two_peaks(z / alpha, deviation / alpha);
  };
  const auto check = [&](const json& config, auto network) {
    INFO(io::dump_json(config));
    const auto made = io::from_diffusers<double>(config, 5);
    const auto denoise = io::diffusers_denoiser(network(made), made);
    for (const double level : {3., 0.7, 0.1}) {
      const double sigma = made.native_flow ? level / 4 : level, x = 0.4;
      double out = 0;
      denoise(x, sigma, out);
      const double expected = made.native_flow ? test::two_peaks_of_flow(x, sigma) : test::two_peaks(x, sigma);
      CHECK(out == Approx(expected).epsilon(1e-9));
    }
  };
  const auto by_step = [&](const char* kind) {
    return [&, kind = std::string(kind)](const auto& made) {
      return [&, kind, table = *made.table](const double& z, double step) {
        const double sigma = table.sigma((step + 1) / static_cast<double>(table.size()));
        const double alpha = 1 / std::sqrt(1 + sigma * sigma), deviation = alpha * sigma,
                     x0 = image(z, alpha, deviation);
        const double noise = (z - alpha * x0) / deviation;
        return kind == "epsilon" ? noise : kind == "sample" ? x0 : alpha * noise - deviation * x0;
      };
    };
  };
  for (const char* kind : {"epsilon", "v_prediction", "sample"})
    check(sd_scheduler("DPMSolverMultistepScheduler", {{"prediction_type", kind}}), by_step(kind));
  const auto flow = [&](const auto&) {
    return
        [](const double& z, double label) { return (z - test::two_peaks_of_flow(z, label / 1000)) / (label / 1000); };
  };
  check(scheduler("FlowMatchEulerDiscreteScheduler"), flow);
  check(scheduler("UniPCMultistepScheduler", {{"use_flow_sigmas", true}, {"prediction_type", "flow_prediction"}}),
        flow);
  for (const double sign : {1., -1.}) {
    const auto edm = [&](const auto& made) {
      return [sign, sd = made.sigma_data](const double& z, double label) {
        const double sigma = std::exp(4 * label), total = sigma * sigma + sd * sd, x = z * std::sqrt(total);
        return sign * (test::two_peaks(x, sigma) - sd * sd / total * x) * std::sqrt(total) / (sigma * sd);
      };
    };
    check(scheduler("EDMEulerScheduler",
                    {{"sigma_data", 0.7}, {"prediction_type", sign > 0 ? "epsilon" : "v_prediction"}}),
          edm);
  }
}

TEST_CASE("diffusers: mu from the number of tokens") {
  CHECK(io::flux_mu(4096, json::object()) == Approx(1.15));
  CHECK(io::flux_mu(256, json::object()) == Approx(0.5));
  CHECK(io::flux_mu(4096, {{"base_shift", 0.95}, {"max_shift", 2.05}, {"base_image_seq_len", 1024}}) == Approx(2.05));
  CHECK(io::flux2_mu(4096, 50) == Approx(2.0233511571).epsilon(1e-6));
  CHECK(io::flux2_mu(5000, 50) == Approx(0.00016927 * 5000 + 0.45666666));
}

TEST_CASE("diffusers: runs over a part of the schedule") {
  CHECK(io::first_step(50, 0.8) == 10);
  CHECK(io::first_step(50, 1) == 0);
  CHECK_THAT(message_of([] { io::first_step(10, 0.05); }), Catch::StartsWith("strength is 0.05"));
  auto made = io::from_diffusers<double>(sd_scheduler("EulerDiscreteScheduler"), 10);
  io::set_strength(made, 0.3);
  CHECK(made.options.first_step == 7);
  io::start_at(made, made.schedule[4] * 1.01);
  CHECK(made.options.first_step == 4);
  io::end_at(made, made.schedule[6] * 0.99);
  CHECK(made.options.last_step == 6);
}
