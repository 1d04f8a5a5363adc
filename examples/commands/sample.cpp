// Draws samples from a network:
//   sample --model fashion_mnist.safetensors --solver ipndm --steps 5 --seeds 0-63 --out grid.png
//   sample --model model.json --scheduler scheduler_config.json --steps 20 --npy samples.npy
#include "support/array_output.hpp"
#include "support/command_line.hpp"
#include "support/decoder.hpp"
#include "support/drawing.hpp"
#include "support/output.hpp"
#include "support/progress.hpp"
#include "support/sampler.hpp"
#include "support/seeds.hpp"
#include "support/solver_list.hpp"
#include "support/subject.hpp"

#include <fewstep/io/diffusers/strength.hpp>
#include <fewstep/io/npy.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace fewstep;
using namespace fewstep::examples;
namespace fs = std::filesystem;

struct Settings {
  NetworkOptions network;
  fs::path predictor, table, scheduler, noise, init, prefix, mask, decoder, out, npy, trajectory;
  std::string solver = "dpmpp", schedule = "karras", seeds = "0-63";
  SolverSettings solver_settings;
  ScheduleSettings schedule_settings;
  Options options;
  std::optional<std::int64_t> label;
  std::optional<double> mu;
  bool to_zero = false;
  double guidance = 1, strength = 1;
  std::int64_t batch = 64;
};

void add_sampler_options(CommandLine& line, Settings& s) {
  line.option("--solver", s.solver, solver_names());
  line.option("--order", s.solver_settings.order, "order of the solver, if it has several");
  line.option("--steps", s.schedule_settings.steps, "steps of the solver").range(1, 10'000);
  line.option("--schedule", s.schedule, "karras, log_uniform, time_uniform, ...");
  line.option("--rho", s.schedule_settings.rho, "exponent of the schedule (default: 7 for karras, 1 for time_uniform)");
  line.flag("--to-zero", s.to_zero, "end the schedule at level 0: the last step returns the denoised image");
  line.flag("--afs", s.options.analytic_first_step, "analytic first step, which saves one evaluation");
  line.flag("!--forget-analytic", s.options.analytic_in_history,
            "leave the slope of the analytic first step out of the solver's history");
  const std::vector<std::string> own{"--solver", "--order",   "--steps", "--schedule",
                                     "--rho",    "--to-zero", "--afs",   "--forget-analytic"};
  line.option("--predictor", s.predictor, "predictor of train_amed (.safetensors), with its solver and schedule")
      .excludes(own);
  line.option("--table", s.table, "table of calibrate (.json), with its schedule")
      .excludes(own)
      .excludes({"--predictor"});
  line.option(
          "--scheduler", s.scheduler,
          "scheduler_config.json of diffusers, for a described network: its solver at --steps, started as by pipelines")
      .excludes({"--solver", "--order", "--schedule", "--rho", "--to-zero", "--afs", "--forget-analytic", "--predictor",
                 "--table"});
  line.option("--mu", s.mu, "mu of a --scheduler with use_dynamic_shifting").needs("--scheduler");
}

void add_options(CommandLine& line, Settings& s) {
  s.network.add_model(line);
  add_sampler_options(line, s);
  line.option("--seeds", s.seeds, "a seed for each image, such as 0-63,70,80-90");
  line.option("--noise", s.noise, "unit noise [N, C, H, W] in place of seeds (.npy)").excludes({"--seeds"});
  line.option("--init", s.init, "clean samples [N, C, H, W], or one, to start from in place of noise alone (.npy)");
  line.option("--strength", s.strength, "share of the steps that are made from --init: 1 forgets most of it")
      .needs("--init");
  line.option("--prefix", s.prefix,
              "known values [N, C, H, W], or those of one sample, that are kept; with --mask (.npy)");
  line.option("--mask", s.mask, "where they are known: 1, elsewhere 0 (.npy, shape as above)").needs("--prefix");
  line.option("--class", s.label, "class of the images; unconditional images if not given");
  line.option("--guidance", s.guidance, "classifier-free guidance scale; other than 1, each step takes twice the NFE");
  line.option("--batch", s.batch, "images per batch").range(1, 65'536);
  s.network.add_device_and_dtype(line);
  line.option("--out", s.out, "picture of all images (.png)");
  line.option("--decoder", s.decoder, "description of the network that turns latents into pictures (.json), for --out");
  line.option("--npy", s.npy, "the images [N, C, H, W] in float32 (.npy)");
  line.option("--trajectory", s.trajectory, "the states at all noise levels [levels, N, C, H, W] in float32 (.npy)");
}

/// @param predictions  times those of a predictor
Drawing drawing_of(const Settings& s, const Subject& subject, CallTimes& predictions) {
  const auto strength = s.init.empty() ? std::nullopt : std::optional(s.strength);
  if (!s.scheduler.empty()) {
    require(subject.description(), "scheduler", s.scheduler.string(), "only with a described network (.json)");
    return imported_drawing(s.scheduler, s.schedule_settings.steps, s.mu, strength);
  }
  const fs::path& file = s.predictor.empty() ? s.table : s.predictor;
  const auto chosen = [&]() -> LoadedSampler {
    if (!file.empty()) return load_sampler(file, subject, s.guidance, &predictions);
    return {
        s.solver,
        {samples_solver(s.solver, s.solver_settings), subject.schedule(s.schedule, s.schedule_settings), s.options}};
  };
  Drawing drawing{chosen()};
  Sampler& sampler = drawing.loaded.sampler;
  if (strength) sampler.options.first_step = io::first_step(sampler.schedule.steps(), *strength);
  return drawing;
}

Condition condition_of(const Settings& s, const Subject& subject) {
  if (subject.description()) {
    require(!s.label, "class", s.label.value_or(0), "none for a described network: its description names conditions");
    return {.guidance = s.guidance};
  }
  const ImageConfig& config = *subject.config();
  require(s.guidance == 1 || s.label, "guidance", s.guidance, "1 without --class");
  if (!s.label) return {.unlabelled = true};
  require(config.label_dim > 0, "class", *s.label, "none: this network was trained without classes");
  require(*s.label >= 0 && *s.label < config.label_dim, "class", *s.label,
          "0 to " + std::to_string(config.label_dim - 1));
  return {.guidance = s.guidance, .classes = {*s.label}};
}

/// The states that runs start from, and what is known of the samples.
struct Start {
  Samples states;
  KnownPart known;
};

Start start_of(const Settings& s, const Subject& subject, const Drawing& drawing) {
  const Sampler& sampler = drawing.loaded.sampler;
  const double level = sampler.schedule[sampler.options.first_step], clean = drawing.clean_share(level);
  Samples x = s.noise.empty() ? subject.noise(parse_seeds(s.seeds))
                              : samples_of(read_samples(s.noise, "the noise", subject.sample_shape()), subject.place());
  x = scaled(x, drawing.start_scale > 0 && s.init.empty() ? drawing.start_scale : level);
  const KnownPart known = read_known_part(s.prefix, s.mask, subject, count_of(x));
  if (!s.init.empty()) {
    const Array init = read_samples(s.init, "the samples to start from", subject.sample_shape());
    add_scaled(x, clean, samples_of(repeated(s.init, init, count_of(x)), subject.place()));
  } else if (known.values) {
    add_scaled(x, clean, known.restored(scaled(x, 0)));
  }
  return {x, known};
}

struct Drawn {
  Array images, trajectories;  // [N, C, H, W], [levels, N, C, H, W], float32; trajectories only for --trajectory
  double seconds;
};

/// The states of all batches at each level, in one array.
Array stacked(const std::vector<std::vector<Array>>& batches) {
  std::vector<Array> levels;
  for (std::size_t level = 0; level < batches.at(0).size(); ++level) {
    std::vector<Array> parts;
    for (const std::vector<Array>& batch : batches) parts.push_back(batch[level]);
    levels.push_back(joined(parts));
  }
  Array all = joined(levels);
  all.shape[0] = levels[0].shape[0];
  all.shape.insert(all.shape.begin(), static_cast<std::int64_t>(levels.size()));
  return all;
}

Drawn draw_all(const Settings& s, const Subject& subject, const Drawing& drawing, const Start& start,
               const AroundEvaluation& around) {
  const Condition condition = condition_of(s, subject);
  const Shape& shape = subject.sample_shape();
  const auto begin = std::chrono::steady_clock::now();
  std::vector<Array> images;
  std::vector<std::vector<Array>> trajectories;
  for (std::int64_t first = 0; first < count_of(start.states); first += s.batch) {
    const std::int64_t count = (std::min)(s.batch, count_of(start.states) - first);
    const KnownPart known = start.known.part(first, count);
    const ConditionalDenoiser denoise = known.kept(subject.denoiser(condition, first, count, around, drawing.wrap));
    const Samples x = part_of(start.states, first, count);
    std::vector<Array> states;
    const auto keep = [&](const Samples& state) {
      if (!s.trajectory.empty()) states.push_back(array_of(state, shape));
    };
    keep(x);
    auto result = draw_from(drawing.loaded.sampler, denoise, x, [&](const Snapshot<Samples>& step) { keep(step.x); });
    if (result.status != Status::complete)
      throw std::runtime_error("the samples are not finite: the network does not fit dtype " + s.network.dtype +
                               " or these noise levels");
    images.push_back(array_of(known.restored(scaled(result.x, drawing.end_scale)), shape));
    if (!states.empty()) trajectories.push_back(std::move(states));
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return {joined(images), trajectories.empty() ? Array() : stacked(trajectories), seconds};
}

void check(const Settings& s, const Subject& subject) {
  require(s.predictor.extension() != ".json", "predictor", s.predictor.string(), "files of train_amed (.safetensors)");
  require(s.table.empty() || s.table.extension() == ".json", "table", s.table.string(), "files of calibrate (.json)");
  require(s.prefix.empty() || !s.mask.empty(), "mask", "missing", "with --prefix");
  if (s.decoder.empty()) subject.check_pictures("out", s.out);
  else require(!s.out.empty(), "decoder", s.decoder.string(), "with --out, the picture");
  subject.check(condition_of(s, subject));
}

void print_figures(const Settings& s, const Drawing& drawing, const Drawn& drawn, const CallTimes& evaluations,
                   const CallTimes& predictions) {
  const LoadedSampler& loaded = drawing.loaded;
  const int per_call = s.guidance == 1 ? 1 : 2, nfe = loaded.sampler.nfe(per_call);
  std::printf("NFE                  %d\n", nfe);
  if (loaded.sequential_nfe && *loaded.sequential_nfe * per_call != nfe)
    std::printf("sequential NFE       %d\n", *loaded.sequential_nfe * per_call);
  std::printf("seconds              %.2f\n", drawn.seconds);
  std::printf("images per second    %.1f\n", static_cast<double>(drawn.images.shape[0]) / drawn.seconds);
  std::printf("outside the network  %.1f%%\n", 100 * (1 - evaluations.seconds / drawn.seconds));
  if (predictions.calls > 0)
    std::printf("a prediction         %.2f%% of an evaluation\n",
                100 * predictions.seconds / predictions.calls / (evaluations.seconds / evaluations.calls));
}

void run(const Settings& s) {
  require(!s.out.empty() || !s.npy.empty() || !s.trajectory.empty(), "the output", "missing",
          "one or more of --out, --npy, --trajectory");
  check_output("out", s.out, ".png");
  check_output("npy", s.npy, ".npy");
  check_output("trajectory", s.trajectory, ".npy");
  CallTimes evaluations, predictions;
  const Subject subject(s.network);
  check(s, subject);
  Decoder decoder{{}, subject.lowest_value(), subject.highest_value()};
  if (!s.decoder.empty()) decoder = load_decoder(s.decoder, subject.sample_shape(), s.network.device);
  const Drawing drawing = drawing_of(s, subject, predictions);
  const Start start = start_of(s, subject, drawing);

  const std::int64_t batches = (count_of(start.states) + s.batch - 1) / s.batch;
  const int nfe = drawing.loaded.sampler.nfe(s.guidance == 1 ? 1 : 2);
  Progress progress("sampling", static_cast<double>(nfe * batches), "evaluations");
  const Drawn drawn = draw_all(s, subject, drawing, start, timed(progress, evaluations));
  progress.finish();
  if (!s.out.empty())
    write_png(s.out, picture(decoder.decode ? decoder.decode(drawn.images) : drawn.images, decoder.lowest_value,
                             decoder.highest_value));
  if (!s.npy.empty()) io::write_npy(s.npy, drawn.images);
  if (!s.trajectory.empty()) io::write_npy(s.trajectory, drawn.trajectories);
  print_figures(s, drawing, drawn, evaluations, predictions);
}

}  // namespace

int main(int argc, char** argv) {
  Settings s;
  CommandLine line("sample", "Draws images from a trained network in a few evaluations.");
  add_options(line, s);
  return line.run(argc, argv, [&] {
    if (s.to_zero) s.schedule_settings.end = End::zero;
    run(s);
  });
}
