// Fits a solver to a network that is only a C function: this program knows Eigen and no LibTorch.
//   calibrate_callable libnetwork_c.so fashion_mnist.safetensors table.json [rows 6] [trajectories 320] [iterations 5]
//   [teacher steps 6] [tries 8]
#include "support/network_c.h"
#include "support/output.hpp"

#include <fewstep/eigen.hpp>
#include <fewstep/fewstep.hpp>
#include <fewstep/fitting/calibrate.hpp>
#include <fewstep/io/table_file.hpp>

#include <dlfcn.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace fewstep;
using State = Eigen::ArrayXXf;  // a column per sample

/// The functions of a shared library.
struct Runtime {
  void* library;
  decltype(&network_open) open;
  decltype(&network_numbers) numbers;
  decltype(&network_classes) classes;
  decltype(&network_denoise) denoise;
  decltype(&network_close) close;

  explicit Runtime(const char* path) : library(dlopen(path, RTLD_NOW | RTLD_LOCAL)) {
    if (!library) throw std::runtime_error(dlerror());
    find(open, "network_open");
    find(numbers, "network_numbers");
    find(classes, "network_classes");
    find(denoise, "network_denoise");
    find(close, "network_close");
  }

 private:
  template <class F>
  void find(F& f, const char* name) {
    f = reinterpret_cast<F>(dlsym(library, name));
    if (!f) throw std::runtime_error(dlerror());
  }
};

int positive(const char* text, const char* name) {
  char* end = nullptr;
  const long value = std::strtol(text, &end, 10);
  require(end != text && *end == '\0' && value >= 0 && value <= 65'536, name, text, "0 to 65536");
  return static_cast<int>(value);
}

void run(int argc, char** argv) {
  if (argc < 4 || argc > 9)
    throw std::invalid_argument(
        "usage: calibrate_callable LIBRARY MODEL OUT [ROWS] [TRAJECTORIES] [ITERATIONS] [TEACHER_STEPS] [TRIES]");
  const auto setting = [&](int i, const char* name, int otherwise) {
    return argc > i ? positive(argv[i], name) : otherwise;
  };
  const int rows = setting(4, "ROWS", 6), images = setting(5, "TRAJECTORIES", 320);
  CalibrationOptions options{.iterations = setting(6, "ITERATIONS", 5),
                             .tries = setting(8, "TRIES", 8),
                             .teacher_steps = setting(7, "TEACHER_STEPS", 6)};

  examples::check_output("OUT", argv[3], ".json");
  const Runtime runtime(argv[1]);
  char why[500] = "";
  network* const opened = runtime.open(argv[2], why, sizeof why);
  if (!opened) throw std::runtime_error(why);
  const int numbers = runtime.numbers(opened), kinds = runtime.classes(opened);

  // Classes take turns in every batch.
  std::vector<int> classes;
  for (int i = 0; i < images; ++i) classes.push_back(kinds > 0 ? i % kinds : 0);
  const auto denoise = [&](const State& x, double sigma, State& out) {
    if (runtime.denoise(opened, x.data(), static_cast<float>(sigma), classes.data(), out.data(),
                        static_cast<int>(x.cols())))
      throw std::runtime_error("the network failed");
  };
  std::vector<State> batches;
  for (int first = 0; first < images; first += 40) {
    std::vector<std::uint64_t> seeds;
    for (int i = first; i < (std::min)(first + 40, images); ++i) seeds.push_back(static_cast<std::uint64_t>(i));
    batches.push_back(noise<float>(seeds, numbers));
  }
  const double root = std::sqrt(numbers);
  options.report = [&](const CalibrationProgress& p) {
    std::fprintf(stderr, "stage %d: rms on held-out trajectories %.4f\n", p.stage, p.best_rms / root);
    return true;
  };
  const Calibration made = calibrate(denoise, tabulate(Ipndm{.order = 3}, karras({.steps = rows})), batches, options);
  runtime.close(opened);
  io::write_table(argv[3], {made.table, options.analytic_first_step, {{"command", "calibrate_callable"}}});
  std::printf(
      "rms distance to the teacher on held-out trajectories: %.4f at first, %.4f in the end\nthe teacher's own median "
      "error is about %.4f\nwrote %s\n",
      made.start_rms / root, made.best_rms / root, made.teacher_error / root, argv[3]);
  for (const std::string& note : made.notes) std::printf("note: %s\n", note.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
}
