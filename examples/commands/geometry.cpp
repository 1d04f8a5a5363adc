// How flat a network's trajectories are: what few-step sampling rests on.
//   geometry --model fashion_mnist.safetensors --out geometry
// writes geometry.csv and geometry.png.
#include "support/command_line.hpp"
#include "support/condition.hpp"
#include "support/network.hpp"
#include "support/noise_numbers.hpp"
#include "support/output.hpp"
#include "support/plot.hpp"
#include "support/progress.hpp"

#include <fewstep/fitting/geometry.hpp>
#include <fewstep/fitting/gits.hpp>
#include <fewstep/io/atomic_write.hpp>
#include <fewstep/torch.hpp>

#include <CLI/CLI.hpp>

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <ostream>
#include <sstream>
#include <string>

int main(int argc, char** argv) {
  using namespace fewstep;
  using namespace fewstep::examples;
  using torch::Tensor;
  std::filesystem::path model, out = "geometry";
  std::string device = "cpu";
  int steps = 40, images = 100;
  std::int64_t seed = 0;
  bool bf16 = false;
  Condition condition;
  CLI::App app{"Measures the shape of a network's trajectories."};
  plain_words(app);
  app.add_option("--model", model, "weights of the network (safetensors)")->required();
  app.add_option("--out", out, "writes OUT.csv and OUT.png");
  app.add_option("--steps", steps, "of Heun's method on Karras levels")->check(CLI::Range(3, 10'000));
  app.add_option("--images", images, "trajectories")->check(CLI::Range(1, 65'536));
  condition.add_options(app);
  app.add_option("--seed", seed, "of the noise")->check(CLI::Range(0, 1'000'000));
  app.add_option("--device", device, "cpu, cuda, cuda:1, ...");
  app.add_flag("--bf16", bf16, "the network computes in bfloat16");
  finite_numbers(app);
  CLI11_PARSE(app, argc, argv);
  try {
    keep_freed_memory();
    check_output("out", out.string() + ".csv", ".csv");
    const auto network = load_unet(model);
    network->to(parse_device(device));
    if (bf16) network->compute_type = torch::kBFloat16;
    const UnetConfig& c = network->config();
    const Schedule fine = karras({.steps = steps});
    const Tensor x = noise_of(training_numbers(seed, 0, images), c, parse_device(device)) * fine[0];
    condition.check(c);
    Progress bar("Heun", 2 * steps, "evaluations");
    int calls = 0;
    const auto asked = [&](const Tensor& at, const Tensor& sigma, const Tensor& rows) {
      bar.update(++calls / (condition.guidance == 1 ? 1. : 2.));
      return network->forward(at, sigma, rows);
    };
    const torch::NoGradGuard no_grad;
    const Geometry g = condition.with_denoiser(asked, condition.labels(c, 0, images), [&](const auto& denoise) {
      return geometry(record_teacher(Heun{}, denoise, fine, x).states);
    });
    bar.finish();

    std::printf(
        "%d trajectories of %d steps. Share of a trajectory's variance outside its first principal directions:\n",
        images, steps);
    for (std::size_t k = 0; k < g.outside.size(); ++k) std::printf("  %zu  %.3g\n", k + 1, g.outside[k]);
    io::atomic_write(out.string() + ".csv", [&](std::ostream& file) {
      file << "what,at,value\n";
      for (std::size_t k = 0; k < g.outside.size(); ++k)
        file << "variance outside first directions," << k + 1 << "," << g.outside[k] << "\n";
      for (std::size_t i = 0; i < g.deviation.size(); ++i)
        file << "deviation from the chord at sigma," << fine[i] << "," << g.deviation[i] << "\n";
      for (std::size_t i = 0; i < g.curvature.size(); ++i)
        file << "curvature at sigma," << fine[i + 1] << "," << g.curvature[i] << "\n";
    });
    std::printf("wrote %s.csv\n", out.c_str());

    std::ostringstream commands;
    commands << "$deviation << END\n";
    for (std::size_t i = 0; i < g.deviation.size(); ++i) commands << fine[i] << " " << g.deviation[i] << "\n";
    commands << "END\n$curvature << END\n";
    for (std::size_t i = 0; i < g.curvature.size(); ++i) commands << fine[i + 1] << " " << g.curvature[i] << "\n";
    commands << "END\n$outside << END\n";
    for (std::size_t k = 0; k < g.outside.size(); ++k) commands << k + 1 << " " << g.outside[k] << "\n";
    commands << "END\nset multiplot layout 1,3\nset grid\nunset key\nset format y '10^{%L}'\n"
             << "set title 'variance outside the first principal directions'\nset xlabel 'directions'\nset xtics "
                "1\nset xrange [0.5:3.5]\nset logscale y\n"
             << "plot $outside using 1:2 with impulses linewidth 20\n"
             << "set xrange [*:*]\nset xtics autofreq\nset logscale x\nunset logscale y\nset xlabel 'sigma'\n"
             << "set format y '%g'\nset title 'distance from the chord, as a share of its length'\nplot $deviation "
                "using 1:2 with linespoints linewidth 2 pointtype 7\n"
             << "set format y '10^{%L}'\nset logscale y\nset title 'curvature, 1/length'\nplot $curvature using 1:2 "
                "with linespoints linewidth 2 pointtype 7\nunset multiplot\n";
    plot(out.string() + ".png", "1500,420", commands.str());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", first_line(error).c_str());
    return 1;
  }
}
