// A network in ONNX Runtime: points of two half-circles from a flow (models/two_moons.onnx).
#include <fewstep/buffer.hpp>
#include <fewstep/runtimes/onnxruntime.hpp>

#include <onnxruntime_cxx_api.h>

#include <cmath>
#include <cstdio>
#include <memory>

using namespace fewstep;

int main() {
  const Ort::Env environment(ORT_LOGGING_LEVEL_WARNING, "onnx_model");
  const auto session =
      std::make_shared<Ort::Session>(environment, FEWSTEP_EXAMPLES "/models/two_moons.onnx", Ort::SessionOptions());
  // The session tells names, types and shapes: the first input gets the state, the second the time, per sample.
  const auto denoise = from_flow(onnx_network(session));

  // Levels are sigma = t/(1 - t): from t = 0.99 to 0.01.
  const auto levels = [](int steps) {
    return karras({.steps = steps, .sigma_min = Flow{}.sigma(0.01), .sigma_max = Flow{}.sigma(0.99)});
  };
  const Buffer<float> noise = buffer_noise(seed_range(0, 500), 2);
  const Buffer<float> exact = sample(Heun{}, denoise, levels(50), noise).x;
  const auto report = [&](const char* name, const auto& run) {
    double sum = 0;
    for (std::size_t i = 0; i < exact.size(); ++i) sum += std::pow(run.x[i] - exact[i], 2);
    std::printf("%-14s NFE %d  RMS distance %.3f\n", name, run.total_evaluations,
                std::sqrt(sum / static_cast<double>(exact.size())));
  };
  report("Euler", sample(Euler{}, denoise, levels(6), noise, {.analytic_first_step = true}));
  report("DPM-Solver++", sample(Dpmpp{.order = 3}, denoise, levels(6), noise, {.analytic_first_step = true}));
  report("iPNDM", sample(Ipndm{.order = 3}, denoise, levels(6), noise, {.analytic_first_step = true}));
}
