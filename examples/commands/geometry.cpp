// Measures how flat a network's trajectories are: why a few steps suffice.
//   geometry --model fashion_mnist.safetensors --out geometry
// writes geometry.csv and geometry.png.
#include "support/command_line.hpp"
#include "support/condition.hpp"
#include "support/noise_numbers.hpp"
#include "support/output.hpp"
#include "support/plot.hpp"
#include "support/progress.hpp"
#include "support/sampler.hpp"
#include "support/subject.hpp"

#include <fewstep/fitting/geometry.hpp>
#include <fewstep/fitting/teacher.hpp>
#include <fewstep/io/atomic_write.hpp>

#include <torch/utils.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <ostream>
#include <sstream>
#include <string>

namespace {

using namespace fewstep;
using namespace fewstep::examples;
using torch::Tensor;

struct Settings {
  NetworkOptions network;
  Condition condition;
  std::filesystem::path out = "geometry";
  int steps = 40, images = 100;
  std::int64_t seed = 0;
};

void add_options(CommandLine& line, Settings& s) {
  s.network.add_model(line);
  line.option("--out", s.out, "writes OUT.csv and OUT.png");
  line.option("--steps", s.steps, "steps of Heun's method on Karras levels").range(3, 10'000);
  line.option("--images", s.images, "trajectories").range(1, 65'536);
  s.condition.add_options(line);
  line.option("--seed", s.seed, "seed of the noise").range(0, 1'000'000);
  s.network.add_device(line);
}

Geometry measured(const Settings& s, const Subject& subject, const Schedule& fine) {
  const Tensor noise = subject.noise(training_numbers(s.seed, 0, s.images));
  const int per_call = s.condition.guidance == 1 ? 1 : 2;
  Progress progress("Heun", 2 * s.steps * per_call, "evaluations");
  CallTimes times;
  const ConditionalDenoiser denoise = subject.denoiser(s.condition, 0, s.images, timed(progress, times));
  const torch::NoGradGuard no_grad;
  return geometry(record_teacher(samples_solver("heun"), denoise, fine, Tensor(noise * fine[0])).states);
}

void write_csv(const std::filesystem::path& path, const Geometry& g, const Schedule& fine) {
  io::atomic_write(path, [&](std::ostream& file) {
    file << "what,at,value\n";
    for (std::size_t k = 0; k < g.outside.size(); ++k)
      file << "variance outside first directions," << k + 1 << "," << g.outside[k] << "\n";
    for (std::size_t i = 0; i < g.deviation.size(); ++i)
      file << "deviation from the chord at sigma," << fine[i] << "," << g.deviation[i] << "\n";
    for (std::size_t i = 0; i < g.curvature.size(); ++i)
      file << "curvature at sigma," << fine[i + 1] << "," << g.curvature[i] << "\n";
  });
  std::printf("wrote %s\n", path.c_str());
}

void write_plot(const std::filesystem::path& path, const Geometry& g, const Schedule& fine) {
  std::ostringstream commands;
  commands << "$deviation << END\n";
  for (std::size_t i = 0; i < g.deviation.size(); ++i) commands << fine[i] << " " << g.deviation[i] << "\n";
  commands << "END\n$curvature << END\n";
  for (std::size_t i = 0; i < g.curvature.size(); ++i) commands << fine[i + 1] << " " << g.curvature[i] << "\n";
  commands << "END\n$outside << END\n";
  for (std::size_t k = 0; k < g.outside.size(); ++k) commands << k + 1 << " " << g.outside[k] << "\n";
  commands << "END\nset multiplot layout 1,3\nset grid\nunset key\nset format y '10^{%L}'\n"
           << "set title 'variance outside the first principal directions'\nset xlabel 'directions'\nset xtics 1\n"
           << "set xrange [0.5:3.5]\nset logscale y\nplot $outside using 1:2 with impulses linewidth 20\n"
           << "set xrange [*:*]\nset xtics autofreq\nset logscale x\nunset logscale y\nset xlabel 'sigma'\n"
           << "set format y '%g'\nset title 'distance from the chord relative to its length'\n"
           << "plot $deviation using 1:2 with linespoints linewidth 2 pointtype 7\n"
           << "set format y '10^{%L}'\nset logscale y\nset title 'curvature, 1/length'\n"
           << "plot $curvature using 1:2 with linespoints linewidth 2 pointtype 7\nunset multiplot\n";
  plot(path, "1500,420", commands.str());
}

void run(const Settings& s) {
  for (const char* end : {".csv", ".png"}) check_output("out", s.out.string() + end, end);
  const Subject subject(s.network);
  subject.check(s.condition);
  const Schedule fine = subject.karras(s.steps);
  const Geometry g = measured(s, subject, fine);
  std::printf("%d trajectories of %d steps. Share of a trajectory's variance outside its first principal directions:\n",
              s.images, s.steps);
  for (std::size_t k = 0; k < g.outside.size(); ++k) std::printf("  %zu  %.3g\n", k + 1, g.outside[k]);
  write_csv(s.out.string() + ".csv", g, fine);
  write_plot(s.out.string() + ".png", g, fine);
}

}  // namespace

int main(int argc, char** argv) {
  Settings s;
  CommandLine line("geometry", "Measures the shape of a network's trajectories.");
  add_options(line, s);
  return line.run(argc, argv, [&] { run(s); });
}
