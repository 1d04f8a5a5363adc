// Draws the same noise with several solvers at 5 evaluations and with a reference at 100, as one picture and a table of
// distances. Classes take turns.
//   compare --model fashion_mnist.safetensors --out compare.png
#include "support/command_line.hpp"
#include "support/loaded_sampler.hpp"
#include "support/output.hpp"
#include "support/progress.hpp"
#include "support/seeds.hpp"
#include "support/subject.hpp"
#include "support/tensor_output.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace fewstep;
using namespace fewstep::examples;
using torch::Tensor;

struct Settings {
  NetworkOptions network;
  std::filesystem::path out;
  std::vector<std::filesystem::path> predictors;
  std::string seeds = "1000000-1000063";  // noise that nothing was fitted to (support/noise_numbers.hpp)
};

struct Candidate {
  std::string name;
  Sampler sampler;
  Tensor images = {};
};

void add_options(CommandLine& line, Settings& s) {
  s.network.add_model(line);
  line.option("--predictors", s.predictors,
              "predictors of train_amed (.safetensors) and tables of calibrate (.json), a panel for each")
      .comma_separated();
  line.option("--out", s.out, "picture to write (.png)");
  line.option("--seeds", s.seeds, "a seed for each image, such as 0-63,70,80-90");
  s.network.add_device(line);
}

/// The reference comes first.
std::vector<Candidate> candidates_of(const Settings& s, const Subject& subject) {
  constexpr int few_steps = 5, reference_steps = 50;  // of Heun's method: two evaluations each
  const Schedule few = subject.karras(few_steps);
  std::vector<Candidate> all{{"Reference (Heun)", {samples_solver("heun"), subject.karras(reference_steps)}},
                             {"Euler (DDIM)", {samples_solver("euler"), few}},
                             {"DPM-Solver++", {samples_solver("dpmpp", {.order = 3}), few}},
                             {"iPNDM", {samples_solver("ipndm", {.order = 3}), few}}};
  for (const auto& path : s.predictors) {
    LoadedSampler loaded = load_sampler(path, subject, 1);
    all.push_back({loaded.kind, loaded.sampler});
  }
  return all;
}

double rms_distance(const Tensor& a, const Tensor& b) { return (a - b).square().mean().sqrt().item<double>(); }

std::string text_of(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

void write_picture(const std::filesystem::path& path, const Subject& subject,
                   const std::vector<Candidate>& candidates) {
  constexpr int shown_columns = 6;  // of images in a panel; with more, images are too small to see
  constexpr int rows = 2, scale = 2, text_scale = 3;
  std::vector<Panel> panels;
  for (const Candidate& c : candidates) {
    std::string caption = "NFE " + std::to_string(c.sampler.nfe());
    if (&c != &candidates.front()) caption += text_of(", RMS %.4f", rms_distance(c.images, candidates.front().images));
    const std::int64_t most = shown_columns * shown_columns;
    panels.push_back(
        {{c.name, caption},
         picture(in_range(c.images.slice(0, 0, most), subject.lowest_value(), subject.highest_value()), 0, scale)});
  }
  write_png(path, page(panels, rows, text_scale));
}

void run(const Settings& s) {
  check_output("out", s.out, ".png");
  const auto seeds = parse_seeds(s.seeds);
  const Subject subject(s.network);
  subject.check_pictures("out", s.out);
  const Tensor noise = subject.noise(seeds);
  std::vector<Candidate> candidates = candidates_of(s, subject);
  int total = 0;
  for (const Candidate& c : candidates) total += c.sampler.nfe();
  Progress progress("sampling", total, "evaluations");
  CallTimes times;
  const ConditionalDenoiser denoise = subject.denoiser({}, 0, noise.size(0), timed(progress, times));
  for (Candidate& c : candidates) {
    const auto result = draw(c.sampler, denoise, noise);
    if (result.status != Status::complete) throw std::runtime_error(c.name + ": the samples are not finite");
    c.images = result.x;
  }
  progress.finish();
  if (!s.out.empty()) write_picture(s.out, subject, candidates);

  std::printf("%-20s NFE  RMS distance to the reference (lower is better)\n", "");
  for (const Candidate& c : candidates) {
    const bool reference = &c == &candidates.front();
    const double rms = rms_distance(c.images, candidates.front().images);
    std::printf("%-20s %3d  %s\n", c.name.c_str(), c.sampler.nfe(), reference ? "-" : text_of("%.4f", rms).c_str());
  }
  if (!s.out.empty()) std::printf("picture: %s\n", s.out.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  Settings s;
  CommandLine line("compare", "Draws the same noise with several solvers, side by side.");
  add_options(line, s);
  return line.run(argc, argv, [&] { run(s); });
}
