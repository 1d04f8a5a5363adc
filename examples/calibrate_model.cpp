// A five-evaluation solver for a network in an ONNX file, fitted without gradients.
#include <fewstep/buffer.hpp>
#include <fewstep/fitting/calibrate.hpp>
#include <fewstep/fitting/tabulate.hpp>
#include <fewstep/io/table_file.hpp>
#include <fewstep/runtimes/onnxruntime.hpp>

#include <onnxruntime_cxx_api.h>

#include <cstdint>
#include <cstdio>
#include <memory>
#include <vector>

using namespace fewstep;

int main() {
  const Ort::Env environment(ORT_LOGGING_LEVEL_WARNING, "calibrate_model");
  const auto session =
      std::make_shared<Ort::Session>(environment, FEWSTEP_EXAMPLES "/models/two_moons.onnx", Ort::SessionOptions());
  const auto denoise = from_flow(onnx_network(session));

  // Six rows from sigma = t/(1 - t) at t = 0.99 to t = 0.01; the first slope needs no evaluation.
  const Schedule levels = karras({.steps = 6, .sigma_min = Flow{}.sigma(0.01), .sigma_max = Flow{}.sigma(0.99)});
  const Table start = tabulate(Ipndm{.order = 3}, levels);
  std::vector<Buffer<float>> batches;
  for (std::uint64_t b = 0; b < 5; ++b) batches.push_back(buffer_noise(seed_range(100 * b, 100), 2));
  const CalibrationOptions options{.iterations = 4, .teacher_steps = 8};
  const Calibration fit = calibrate(denoise, start, batches, options);
  io::write_table("two_moons_5.json", {fit.table, options.analytic_first_step});
  std::printf("median distance to the teacher on held-out points: %.4f for iPNDM, %.4f fitted\n", fit.start_median,
              fit.best_median);

  const auto points = sample(fit.table, denoise, fit.table.schedule(), buffer_noise({7, 8, 9}, 2),
                             {.analytic_first_step = options.analytic_first_step});
  for (std::size_t b = 0; b < 3; ++b) std::printf("(%.2f, %.2f)\n", points.x.sample(b)[0], points.x.sample(b)[1]);
}
