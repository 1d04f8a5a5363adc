// Fits a table to a network behind a C interface (network_c.h): this program uses Eigen and no LibTorch.
//   calibrate_callable libnetwork_c.so fashion_mnist.safetensors table.json [rows 6] [trajectories 320] [iterations 5]
//   [teacher steps 6] [tries 8]
#include "support/network_c.h"
#include "support/output.hpp"
#include "support/process.hpp"
#include "support/signals.hpp"

#include <fewstep/eigen.hpp>
#include <fewstep/fitting/calibrate.hpp>
#include <fewstep/io/table_file.hpp>

#include <dlfcn.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace fewstep;
using State = Eigen::ArrayXXf;  // one column per sample

constexpr int batch_size = 40;

/// A network in a shared library, which stays loaded until the program ends.
class Network {
 public:
  /// @throws std::runtime_error if the library or the model cannot be loaded.
  Network(const char* library_path, const char* model) : library_(dlopen(library_path, RTLD_NOW | RTLD_LOCAL)) {
    if (!library_) throw std::runtime_error(dlerror());
    char error[500] = "";
    network_ = function<decltype(network_open)>("network_open")(model, error, sizeof error);
    if (!network_) throw std::runtime_error(error);
    denoise_ = function<decltype(network_denoise)>("network_denoise");
    numbers_ = function<decltype(network_numbers)>("network_numbers")(network_);
    // In every batch sample i has class i modulo the number of classes.
    const int classes = function<decltype(network_classes)>("network_classes")(network_);
    for (int i = 0; i < batch_size; ++i) classes_.push_back(classes > 0 ? i % classes : 0);
  }

  /// Numbers per sample.
  int numbers() const { return numbers_; }

  /// out <- D(x, sigma)
  void operator()(const State& x, double sigma, State& out) const {
    examples::throw_if_interrupted();
    if (denoise_(network_, x.data(), static_cast<float>(sigma), classes_.data(), out.data(),
                 static_cast<int>(x.cols())) != 0)
      throw std::runtime_error("the network failed");
  }

 private:
  template <class F>
  F* function(const char* name) const {
    auto* f = reinterpret_cast<F*>(dlsym(library_, name));
    if (!f) throw std::runtime_error(dlerror());
    return f;
  }

  void* library_;
  network* network_ = nullptr;
  decltype(&network_denoise) denoise_ = nullptr;
  int numbers_ = 0;
  std::vector<int> classes_;
};

struct Settings {
  const char *library, *model, *out;
  int rows = 6, trajectories = 320, iterations = 5, teacher_steps = 6, tries = 8;
};

int number(const char* text, const char* name) {
  constexpr long most = 65'536;
  char* end = nullptr;
  const long value = std::strtol(text, &end, 10);
  require(end != text && *end == '\0' && value >= 0 && value <= most, name, text, "0 to 65536");
  return static_cast<int>(value);
}

Settings parsed(int argc, char** argv) {
  if (argc < 4 || argc > 9)
    throw std::invalid_argument(
        "usage: calibrate_callable LIBRARY MODEL OUT [ROWS] [TRAJECTORIES] [ITERATIONS] [TEACHER_STEPS] [TRIES]");
  Settings s{argv[1], argv[2], argv[3]};
  if (argc > 4) s.rows = number(argv[4], "ROWS");
  if (argc > 5) s.trajectories = number(argv[5], "TRAJECTORIES");
  if (argc > 6) s.iterations = number(argv[6], "ITERATIONS");
  if (argc > 7) s.teacher_steps = number(argv[7], "TEACHER_STEPS");
  if (argc > 8) s.tries = number(argv[8], "TRIES");
  examples::check_output("OUT", s.out, ".json");
  return s;
}

/// Batches of unit noise for the seeds 0, 1, ...
std::vector<State> noise_batches(int samples, int numbers) {
  std::vector<State> batches;
  for (int first = 0; first < samples; first += batch_size) {
    const auto count = static_cast<std::size_t>((std::min)(batch_size, samples - first));
    batches.push_back(noise<float>(seed_range(static_cast<std::uint64_t>(first), count), numbers));
  }
  return batches;
}

void run(const Settings& s) {
  const Network denoise(s.library, s.model);
  const double root = std::sqrt(denoise.numbers());  // distances are printed per number of a sample
  const CalibrationOptions options{.iterations = s.iterations,
                                   .tries = s.tries,
                                   .teacher_steps = s.teacher_steps,
                                   .report = [root](const CalibrationProgress& p) {
                                     std::fprintf(stderr, "stage %d: RMS distance on held-out trajectories %.4f\n",
                                                  p.stage, p.best_rms / root);
                                     return true;
                                   }};
  const Table start = tabulate(Ipndm{.order = 3}, karras({.steps = s.rows}));
  const Calibration made = calibrate(denoise, start, noise_batches(s.trajectories, denoise.numbers()), options);
  io::write_table(s.out, {made.table, options.analytic_first_step, {{"command", "calibrate_callable"}}});
  std::printf(
      "rms distance to the teacher on held-out trajectories: %.4f at first, %.4f in the end\n"
      "the teacher's own median error is about %.4f\nwrote %s\n",
      made.start_rms / root, made.best_rms / root, made.teacher_error / root, s.out);
  for (const std::string& note : made.notes) std::printf("note: %s\n", note.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  return examples::run_main([&] { run(parsed(argc, argv)); });
}
