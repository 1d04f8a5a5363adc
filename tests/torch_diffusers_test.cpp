// The import of diffusers' schedulers on tensors.
#include "support/catch.hpp"
#include "support/diffusers_run.hpp"

#include <fewstep/torch.hpp>

#include <fstream>
#include <set>

namespace fewstep::torch_diffusers_test {

using torch::Tensor;

namespace {

/// f(x, level) for every number of x.
template <class F>
Tensor mapped(const F& f, const Tensor& x, double level) {
  Tensor image = x.to(torch::kFloat64).contiguous().clone();
  double* values = image.data_ptr<double>();
  for (std::int64_t i = 0; i < image.numel(); ++i) values[i] = f(values[i], level);
  return image.to(x.scalar_type());
}

/// Compares a case on a tensor with the runs on single numbers.
/// @throws std::invalid_argument for a refused case.
void check_on_tensors(const nlohmann::json& c) {
  std::optional<double> mu;
  if (c.contains("mu") && !c.at("mu").is_null()) mu = c.at("mu").get<double>();
  const io::SetTimesteps call{.num_inference_steps = c.at("steps").get<int>(), .mu = mu, .single = false};
  const auto plain = io::from_diffusers<double>(c.at("config"), call);
  const auto made = io::from_diffusers<Tensor>(c.at("config"), call);
  const auto denoise = [&](double x, double level) {
    return made.native_flow ? test::two_peaks_of_flow(x, level) : test::two_peaks(x, level);
  };
  for (const auto type : {torch::kFloat64, torch::kFloat32}) {
    // A float at the first level is rounded by 1e-7 of that level.
    const double tolerance = type == torch::kFloat64 ? 1e-8 : 2e-3 + 2e-6 * made.schedule[0];
    const Tensor noise = torch::tensor({-1.5, -0.7, 0.2, 1.7}, torch::kFloat64).view({4, 1}).to(type);
    const auto of_tensor = [&](const Tensor& x, double level) { return mapped(denoise, x, level); };
    const auto result = sample(made.solver, of_tensor, made.schedule, noise, made.options);
    CHECK(result.x.scalar_type() == type);
    for (std::int64_t i = 0; i < 4; ++i) {
      const double want = sample(plain.solver, denoise, plain.schedule, noise[i].item<double>(), plain.options).x;
      CHECK(std::abs(result.x[i].item<double>() - want) <= tolerance * (std::max)(1., std::abs(want)));
    }
  }
}

/// Nothing that a solver remembers carries gradients after detach().
void check_detach(const nlohmann::json& c) {
  const auto made = io::from_diffusers<Tensor>(c.at("config"), {.num_inference_steps = 6, .single = false});
  const auto half = [](const Tensor& x, double) -> Tensor { return 0.5 * x; };
  const Tensor start = made.schedule[0] * torch::tensor({{-0.5}, {0.3}}, torch::kFloat64);
  Run run(made.solver, half, made.schedule, start.clone().requires_grad_(), made.options);
  for (int i = 0; i < 3; ++i) run.advance();
  CHECK(run.x.requires_grad());
  run.detach();
  while (run.advance()) {
  }
  CHECK_FALSE(run.x.requires_grad());
}

}  // namespace

TEST_CASE("diffusers: detach() cuts all gradients") {
  for (const char* name : {"DDIMScheduler", "PNDMScheduler", "HeunDiscreteScheduler", "LMSDiscreteScheduler",
                           "KDPM2DiscreteScheduler", "DPMSolverMultistepScheduler", "DPMSolverSinglestepScheduler",
                           "DEISMultistepScheduler", "UniPCMultistepScheduler", "SASolverScheduler"}) {
    INFO(name);
    check_detach(
        {{"config", {{"_class_name", name}, {"tau_func", 0}, {"clip_sample", true}, {"beta_schedule", "linear"}}}});
  }
}

TEST_CASE("diffusers: a scheduler runs on tensors as on numbers") {
  std::set<std::string> classes;
  for (const char* name : {"diffusers_random.jsonl", "diffusers_others.jsonl"}) {
    std::ifstream file(std::string(FEWSTEP_TEST_CASES "/") + name);
    int line_number = 0;
    for (std::string line; std::getline(file, line); ++line_number) {
      if (line_number % 4 != 0) continue;
      const nlohmann::json c = io::parse_scheduler(line);
      if (c.contains("error") || (c.contains("sigmas") && !c.at("sigmas").is_null())) continue;
      INFO(line);
      try {
        check_on_tensors(c);
      } catch (const std::invalid_argument&) {
        continue;
      }
      classes.insert(c.at("config").at("_class_name").get<std::string>());
    }
  }
  CHECK(classes.size() >= 12);
}

}  // namespace fewstep::torch_diffusers_test
