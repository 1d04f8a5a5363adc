// Fits the numbers of a solver to a network: no gradients, some hundred trajectories.
//   calibrate --model fashion_mnist.safetensors --solver ipndm --order 3 --steps 6 --out table_5.json
// What it has reached stands in table_5.json.part after each stage: the same command goes on from there.
#include "support/cache.hpp"
#include "support/command_line.hpp"
#include "support/condition.hpp"
#include "support/network.hpp"
#include "support/noise_numbers.hpp"
#include "support/output.hpp"
#include "support/progress.hpp"
#include "support/sight.hpp"
#include "support/solver_name.hpp"

#include <fewstep/fitting/calibrate.hpp>
#include <fewstep/io/json_file.hpp>
#include <fewstep/io/table_file.hpp>
#include <fewstep/torch.hpp>

#include <CLI/CLI.hpp>

#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>
#include <ostream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace fewstep;
using namespace fewstep::examples;
using torch::Tensor;

struct Settings {
  std::filesystem::path model, start, gaussian_start, out, cache;
  std::vector<std::filesystem::path> classifiers;
  std::string solver = "ipndm", schedule = "karras", teacher = "heun", device = "cpu";
  SolverSettings solver_settings;
  ScheduleSettings schedule_settings{.steps = 6};
  CalibrationOptions options;
  int teacher_steps = 6;
  Sight sight;
  std::int64_t images = 320, batch = 40, seed = 0;
  bool bf16 = false;
  Condition condition;
};

/// What decides a calibration: the command, and what is in the files that it names.
std::string described(const Settings& s, const std::string& command) {
  std::string text = command + ", of";
  for (const std::filesystem::path& path : {s.model, s.start, s.gaussian_start})
    text += " " + (path.empty() ? "-" : fingerprint(path));
  for (const std::filesystem::path& path : s.classifiers) text += " " + fingerprint(path);
  return nlohmann::json::parse(io::dump_json(nlohmann::json(text)));  // as it is read again: what is no UTF-8 replaced
}

/// A calibration on its way as a file, so that it can be gone on with.
void write_progress(const std::filesystem::path& path, const std::string& command, bool afs,
                    const CalibrationProgress& p) {
  const nlohmann::ordered_json j{{"command", command},
                                 {"stage", p.stage},
                                 {"start_rms", p.start_rms},
                                 {"steps_rms", p.steps_rms},
                                 {"best_rms", p.best_rms},
                                 {"damping", p.damping},
                                 {"start_median", p.start_median},
                                 {"best_median", p.best_median},
                                 {"best_loss", p.best_loss},
                                 {"notes", p.notes},
                                 {"table", io::to_json({p.table, afs})},
                                 {"best", io::to_json({p.best, afs})}};
  io::write_json(path, j);
}
std::optional<CalibrationProgress> read_progress(const std::filesystem::path& path, const std::string& command) {
  std::ifstream in(path);
  if (!in) return {};
  try {
    const nlohmann::json j = nlohmann::json::parse(in);
    if (j.at("command") != command)
      throw std::runtime_error("is of another command, or of other files: " + j.at("command").get<std::string>());
    // Files of earlier versions have other keys.
    const auto at = [&j](const char* key, const char* old_key) { return j.at(j.contains(key) ? key : old_key); };
    return CalibrationProgress{j.at("stage"),
                               io::table_from_json(j.at("table")).table,
                               io::table_from_json(j.at("best")).table,
                               at("start_rms", "before"),
                               at("steps_rms", "steps_fitted"),
                               at("best_rms", "after"),
                               j.at("damping"),
                               at("start_median", "usual"),
                               at("best_median", "median"),
                               at("best_loss", "least"),
                               j.at("notes")};
  } catch (const std::exception& error) {
    throw std::runtime_error(path.string() + ": " + error.what() + "; remove it to begin anew");
  }
}

/// How fast it went and how far it has come; on a terminal it shows that while a stage, which may take minutes, is on
/// its way.
struct Meter {
  std::int64_t images;
  std::chrono::steady_clock::time_point begin = std::chrono::steady_clock::now();
  std::int64_t evaluated = 0;  // images
  double shown = 0;

  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(); }
  double evaluations() const { return static_cast<double>(evaluated) / static_cast<double>(images); }
  void count(std::int64_t more) {
    evaluated += more;
    static const bool terminal = isatty(STDERR_FILENO) == 1;
    if (!terminal || seconds() < shown + 0.5) return;
    shown = seconds();
    std::fprintf(stderr, "\r%6.0f s  %.1f evaluations a trajectory\x1b[K\r", shown, evaluations());
  }
};

/// The teacher's states on these batches of noise, from the cache if they are there.
template <class D>
std::vector<TeacherTrajectory<Tensor>> taught(const Settings& s, const D& denoise, const Schedule& schedule,
                                              const std::vector<Tensor>& noise, int steps) {
  std::int64_t count = 0;
  for (const Tensor& z : noise) count += z.size(0);
  std::ostringstream text;
  text.precision(17);
  text << "model " << fingerprint(s.model) << (s.bf16 ? " in bf16" : "") << s.condition.text() << ", " << s.teacher
       << ", " << steps << " steps in each, seed " << s.seed << ", " << count << " images in batches of " << s.batch
       << ", levels";
  for (const double level : schedule) text << " " << level;
  const AnySolver<Tensor> teacher = make_solver<Tensor>(s.teacher);
  const Cache::Tensors states = Cache(s.cache)(text.str(), [&] {
    Cache::Tensors made;
    Progress bar("teacher", static_cast<double>(count), "images");
    std::int64_t done = 0;
    for (const Tensor& z : noise) {
      const auto one = record_teacher(teacher, denoise, refined(schedule, steps), z * schedule[0],
                                      {.stride = static_cast<std::size_t>(steps)});
      made[std::to_string(made.size())] =
          torch::stack(one.states).narrow(0, 1, one.states.size() - 1);  // not the start
      bar.update(static_cast<double>(done += z.size(0)));
    }
    return made;
  });
  std::vector<TeacherTrajectory<Tensor>> batches;
  for (std::size_t b = 0; b < noise.size(); ++b) {
    std::vector<Tensor> one = states.at(std::to_string(b)).to(noise[b].device()).unbind();
    one.insert(one.begin(), noise[b] * schedule[0]);
    batches.push_back({std::move(one), {}});
  }
  return batches;
}

/// Settles the analytic first step, too, which a table from a file has of its own.
Table starting_table(Settings& s) {
  io::TableFile file;
  if (s.start.empty()) {
    file = {tabulate(make_solver<double>(s.solver, s.solver_settings), make_schedule(s.schedule, s.schedule_settings)),
            s.options.analytic_first_step};
    try {
      require_calibratable(file.table);
    } catch (const std::invalid_argument&) {
      require(false, "solver", s.solver,
              "one of slopes, with an evaluation for each level: euler, ipndm, ipndm_v, deis, dpm2, amed");
    }
  } else file = io::read_table(s.start);
  s.options.analytic_first_step = file.analytic_first_step;
  require_calibratable(file.table, static_cast<std::size_t>(s.images), s.options);
  require(file.table.rows.size() >= 2 || !file.analytic_first_step, "steps", 1, "2 or more, as the first is free");
  if (s.gaussian_start.empty() && !file.gaussian_start.empty())
    s.gaussian_start = s.start.parent_path() / file.gaussian_start;
  if (!s.gaussian_start.empty()) {
    require(file.analytic_first_step, "gaussian-start", s.gaussian_start.string(), "with an analytic first step");
    const auto folder = [](const std::filesystem::path& path) {
      return std::filesystem::absolute(path).lexically_normal().parent_path();
    };
    require(folder(s.gaussian_start) == folder(s.out), "gaussian-start", s.gaussian_start.string(),
            "files in the folder of --out, which names it");
  }
  return file.table;
}

template <class D>
void fit(Settings& s, const std::string& command, const D& denoise, const Table& start,
         const std::vector<Tensor>& noise, const Meter& meter) {
  const std::filesystem::path part = s.out.string() + ".part";
  const std::string whole = described(s, command);
  s.options.resume = read_progress(part, whole);
  const double root = std::sqrt(
      static_cast<double>(noise[0][0].numel()));  // of the numbers of a picture: distances are shown by number

  const std::vector<TeacherTrajectory<Tensor>> teacher = taught(s, denoise, start.schedule(), noise, s.teacher_steps);
  const int fewer = s.teacher_steps / 2;
  const std::vector<TeacherTrajectory<Tensor>> coarser = taught(s, denoise, start.schedule(), {noise[0]}, fewer);
  s.sight.look_along(teacher[0].states.back());
  const double error =
      teacher_error(s.sight(teacher[0].states.back()), s.teacher_steps, s.sight(coarser[0].states.back()), fewer) /
      root;
  std::fprintf(stderr, "the teacher's own median error is about %.4f\n", error);

  s.options.report = [&](const CalibrationProgress& p) {
    std::fprintf(stderr,
                 "%6.0f s  %.0f evaluations a trajectory  rms on held-out trajectories %.4f, median %.4f after %s\n",
                 meter.seconds(), meter.evaluations(), p.best_rms / root, p.best_median / root,
                 p.stage == 0   ? "the solver to start from"
                 : p.stage == 1 ? "fitting the steps"
                                : ("iteration " + std::to_string(p.stage - 1)).c_str());
    if (p.stage > 0) write_progress(part, whole, s.options.analytic_first_step, p);
    return true;
  };
  const Calibration made = calibrate(denoise, start, teacher, s.options, s.sight);
  char text[200], medians[100];
  std::snprintf(text, sizeof text, "%.4f at first, %.4f with steps fitted, %.4f in the end", made.start_rms / root,
                made.steps_rms / root, made.best_rms / root);
  std::snprintf(medians, sizeof medians, "%.4f at first, %.4f in the end", made.start_median / root,
                made.best_median / root);
  io::write_table(s.out, {made.table,
                          s.options.analytic_first_step,
                          {{"command", command}, {"held_out_rms", text}, {"held_out_median", medians}},
                          s.gaussian_start.filename().string()});
  std::filesystem::remove(part);
  std::printf(
      "rms distance to the teacher on held-out trajectories%s: %s\nmedian: %s\n%.0f evaluations a trajectory, %.0f "
      "s\nwrote %s\n",
      !s.sight.classifiers.empty() ? ", that of features added" : "", text, medians, meter.evaluations(),
      meter.seconds(), s.out.string().c_str());
  for (const std::string& note : made.notes) std::printf("note: %s\n", note.c_str());
  if (error > made.best_median / root / 3)
    std::printf("note: the teacher's own median error is about %.4f; more --teacher-steps may serve\n", error);
}

void run(Settings s, const std::string& command) {
  const auto network = load_unet(s.model);
  const auto device = parse_device(s.device);
  network->to(device);
  if (s.bf16) network->compute_type = torch::kBFloat16;
  const UnetConfig& c = network->config();
  s.condition.check(c);
  const std::int64_t kinds = s.condition.kinds(c);  // rows of labels are the same for each batch
  require(s.batch % kinds == 0 || s.batch >= s.images, "batch", s.batch,
          "multiples of the " + std::to_string(kinds) + " classes that take turns in each, or all of --images");
  const Tensor labels = s.condition.labels(c, 0, s.batch);
  for (const std::filesystem::path& path : s.classifiers) {
    s.sight.classifiers.push_back(load_classifier(path));
    require(c.img_channels == 1 && c.img_resolution == 32, "classifier", path.string(),
            "with a model of 32x32 grey images, as the classifier's");
    s.sight.classifiers.back()->to(device);
  }
  const auto images = static_cast<std::size_t>(s.images), batch = static_cast<std::size_t>(s.batch);
  require(s.sight.moment_weight == 0 || (images % batch == 0 && s.options.held_out_count(images) % batch == 0),
          "moment-weight", s.sight.moment_weight,
          "with --images, and those held out of them, in whole batches, for moments are a batch's");
  Meter meter{s.images};
  const auto counted = [&](const Tensor& x, const Tensor& sigma, const Tensor& rows) {
    meter.count(x.size(0));
    return network->forward(x, sigma, rows.defined() ? rows.narrow(0, 0, x.size(0)) : rows).denoised;
  };
  const std::vector<Tensor> noise = noise_of(training_numbers(s.seed, 0, s.images), c, device).split(s.batch);
  const Table start = starting_table(s);
  std::optional<TensorGaussianStart> gaussian;
  if (!s.gaussian_start.empty()) gaussian = load_gaussian_start(s.gaussian_start, c, device);
  s.condition.with_denoiser(counted, labels, gaussian ? &*gaussian : nullptr,
                            [&](const auto& denoise) { fit(s, command, denoise, start, noise, meter); });
}

}  // namespace

int main(int argc, char** argv) {
  Settings s;
  CLI::App app{"Fits a solver's numbers to a network."};
  plain_words(app);
  app.add_option("--model", s.model, "weights of the network (safetensors)")->required();
  app.add_option("--out", s.out, "table to write (.json)")->required();
  app.add_option("--solver", s.solver, "to start from, one of slopes: euler, ipndm, ipndm_v, deis, dpm2, amed");
  app.add_option("--order", s.solver_settings.order, "of that solver, where it has several: 3, if not given");
  app.add_option("--steps", s.schedule_settings.steps,
                 "of the table; with the analytic first step one more than evaluations")
      ->check(CLI::Range(1, 100));
  app.add_option("--schedule", s.schedule, "karras, log_uniform, time_uniform");
  app.add_option("--rho", s.schedule_settings.rho, "the schedule's exponent");
  const auto* levels =
      app.add_option("--levels", s.schedule_settings.levels,
                     "noise levels to start from in place of schedule and steps, such as 80,9.7,0.47,0.002")
          ->delimiter(',')
          ->excludes("--steps")
          ->excludes("--schedule")
          ->excludes("--rho");
  app.add_flag("--without-afs{false}", s.options.analytic_first_step, "evaluate the first slope");
  app.add_option("--gaussian-start", s.gaussian_start,
                 "a file of gaussian_start: the analytic first step knows where the pictures of each class lie");
  app.add_option("--start", s.start, "to start from, a table (.json), in place of a solver, its levels and start")
      ->excludes("--solver")
      ->excludes("--order")
      ->excludes("--steps")
      ->excludes("--schedule")
      ->excludes("--rho")
      ->excludes("--levels")
      ->excludes("--without-afs");
  app.add_option("--images", s.images, "trajectories")->check(CLI::Range(4, 65'536));
  app.add_option("--batch", s.batch, "of them at a time")->check(CLI::Range(2, 65'536));
  s.condition.add_options(app);
  app.add_option("--classes", s.condition.classes, "those that take turns, such as 5,7,9, in place of all")
      ->delimiter(',');
  app.add_option("--held-out", s.options.held_out, "share of trajectories that decide")->check(CLI::Range(0.01, 0.99));
  app.add_option("--iterations", s.options.iterations, "of Gauss and Newton; 0: the steps alone")
      ->check(CLI::Range(0, 1'000));
  app.add_option("--tries", s.options.tries, "of steps in each iteration")->check(CLI::Range(1, 1'000));
  app.add_option("--history", s.options.history, "slopes that a step may use at most; 0: all")
      ->check(CLI::Range(0, 1'000));
  app.add_option("--ridge", s.options.ridge, "of the least squares")->check(CLI::NonNegativeNumber);
  app.add_option("--shown", s.sight.shown, "ends are compared limited to +-this, as pictures are to 1; 0: as they are")
      ->check(CLI::NonNegativeNumber);
  app.add_option(
         "--classifier", s.classifiers,
         "weights of train_classifier, of one or several: ends are compared in their features too, beside the pictures")
      ->delimiter(',')
      ->check(CLI::ExistingFile);
  app.add_option("--feature-weight", s.sight.feature_weight,
                 "of differences in features; of those in pictures' numbers it is 1")
      ->check(CLI::NonNegativeNumber)
      ->needs("--classifier");
  app.add_option("--moment-weight", s.sight.moment_weight,
                 "of differences in means and covariances of a batch's features, as the Frechet distance counts them")
      ->check(CLI::NonNegativeNumber)
      ->needs("--classifier");
  app.add_option("--teacher", s.teacher, "its solver; its error is estimated as of second order")
      ->check(unknown_solver);
  app.add_option("--teacher-steps", s.teacher_steps, "of it in each step")->check(CLI::Range(2, 1'000));
  app.add_option("--cache", s.cache, "folder that keeps the teacher's trajectories");
  app.add_option("--seed", s.seed, "of the noise")->check(CLI::Range(0, 1'000'000));
  app.add_option("--device", s.device, "cpu, cuda, cuda:1, ...");
  app.add_flag("--bf16", s.bf16, "the network computes in bfloat16");
  finite_numbers(app);
  CLI11_PARSE(app, argc, argv);
  if (levels->count() > 0) s.schedule = "custom";
  if (!s.solver_settings.order && (s.solver == "ipndm" || s.solver == "ipndm_v" || s.solver == "deis"))
    s.solver_settings.order = 3;
  try {
    keep_freed_memory();
    check_output("out", s.out, ".json");
    std::string command = "calibrate";
    for (int i = 1; i < argc; ++i) command += std::string(" ") + argv[i];
    run(s, command);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", first_line(error).c_str());
    return 1;
  }
}
