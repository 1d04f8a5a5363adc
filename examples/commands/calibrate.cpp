// Fits a solver table to a network, without gradients, from some hundred trajectories:
//   calibrate --model fashion_mnist.safetensors --solver ipndm --order 3 --steps 6 --out table_5.json
// The state is written to table_5.json.part after each stage; the same command resumes from there.
#include "support/cache.hpp"
#include "support/command_line.hpp"
#include "support/end_comparison.hpp"
#include "support/noise_numbers.hpp"
#include "support/output.hpp"
#include "support/progress.hpp"
#include "support/sampler.hpp"
#include "support/signals.hpp"
#include "support/solver_list.hpp"
#include "support/subject.hpp"
#include "support/table_store.hpp"

#include <fewstep/denoisers/analytic_first_step.hpp>
#include <fewstep/denoisers/scale_polynomials.hpp>
#include <fewstep/fitting/branched.hpp>
#include <fewstep/fitting/calibrate.hpp>
#include <fewstep/fitting/over_scales.hpp>
#include <fewstep/fitting/per_batch.hpp>
#include <fewstep/schedule_registry.hpp>

#ifdef FEWSTEP_TORCH
#include "support/predictor_file.hpp"
#endif

#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace fewstep;
using namespace fewstep::examples;
namespace fs = std::filesystem;

struct Settings {
  NetworkOptions network;
  Condition condition;
  fs::path start, gaussian_start, out, cache;
  std::vector<fs::path> classifiers;
  std::string solver = "ipndm", schedule = "karras", teacher = "heun";
  SolverSettings solver_settings;
  ScheduleSettings schedule_settings{.steps = 6};
  CalibrationOptions options;
  EndComparison ends;
  std::vector<double> guidance_scales;
  bool branches = false;
  int teacher_steps = 6;
  std::int64_t images = 320, batch = 40, seed = 0;
};

void add_start_options(CommandLine& line, Settings& s) {
  line.group("Starting table");
  line.option("--solver", s.solver, "solver to start from, one of slopes: " + calibratable_solvers());
  line.option("--order", s.solver_settings.order, "order of that solver, if it has several (default: 3)");
  line.option("--steps", s.schedule_settings.steps, "rows of the table; with an analytic first step, NFE + 1")
      .range(1, 100);
  line.option("--schedule", s.schedule, "karras, log_uniform, time_uniform, ...");
  line.option("--rho", s.schedule_settings.rho, "exponent of the schedule");
  line.option("--levels", s.schedule_settings.levels,
              "noise levels in place of schedule and steps, such as 80,9.7,0.47,0.002")
      .comma_separated()
      .excludes({"--steps", "--schedule", "--rho"});
  line.flag("--without-afs{false}", s.options.analytic_first_step, "evaluate the network for the first slope too");
  line.flag("--branches", s.branches,
            "weigh the conditional and the unconditional outputs apart, with --guidance: more numbers, the same NFE");
  line.option("--gaussian-start", s.gaussian_start,
              "file of gaussian_start in the folder of --out: the analytic first step starts from its Gaussians");
  line.option("--guidance-scales", s.guidance_scales,
              "one table for a range of scales, such as 1.5,3,8: its weights are polynomials through these, and each "
              "batch has a scale of its own")
      .comma_separated()
      .excludes({"--guidance", "--branches", "--gaussian-start"});
  line.option("--start", s.start, "table (.json) to start from in place of a solver, with its levels and first step")
      .excludes({"--solver", "--order", "--steps", "--schedule", "--rho", "--levels", "--without-afs"});
}

void add_fit_options(CommandLine& line, Settings& s) {
  line.group("Fit");
  line.option("--images", s.images, "trajectories").range(4, 65'536);
  line.option("--batch", s.batch, "trajectories per batch").range(2, 65'536);
  line.option("--held-out", s.options.held_out,
              "share of trajectories that are not fitted to and select the best table")
      .range(0.01, 0.99);
  line.option("--iterations", s.options.iterations, "Gauss-Newton iterations; 0: only the steps are fitted")
      .range(0, 1'000);
  line.option("--tries", s.options.tries, "steps tried in each iteration").range(1, 1'000);
  line.option("--history", s.options.history, "most slopes that a step uses; 0: all").range(0, 1'000);
  line.option("--ridge", s.options.ridge, "ridge of the least squares").not_negative();
  s.ends.add_shown(line);
  s.ends.add_classifiers(line, s.classifiers);
  line.group("Teacher");
  line.option("--teacher", s.teacher, "solver of the teacher; its error is estimated as that of a method of order 2")
      .check(unknown_solver);
  line.option("--teacher-steps", s.teacher_steps, "steps of the teacher per row of the table").range(2, 1'000);
  line.option("--cache", s.cache, "folder for the teacher's trajectories");
}

void add_options(CommandLine& line, Settings& s) {
  s.network.add_model(line);
  line.option("--out", s.out, "table to write (.json)").required();
  s.condition.add_options(line);
  s.condition.add_classes(line);
  line.option("--seed", s.seed, "seed of the noise").range(0, 1'000'000);
  s.network.add_device(line);
  add_start_options(line, s);
  add_fit_options(line, s);
}

/// Describes everything that decides a calibration: the command, and the content of the files that it names.
std::string description(const Settings& s, const Subject& subject, const std::string& command) {
  std::string text = command + ", of " + subject.text();
  for (const fs::path& path : {s.start, s.gaussian_start}) text += " " + (path.empty() ? "-" : fingerprint(path));
  for (const fs::path& path : s.classifiers) text += " " + fingerprint(path);
  return text;
}

/// Counts evaluations and time. A stage can take minutes, so a terminal shows both while it runs.
class Meter {
 public:
  explicit Meter(std::int64_t trajectories) : trajectories_(trajectories) {}

  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count(); }
  /// Per trajectory.
  double nfe() const { return static_cast<double>(images_) / static_cast<double>(trajectories_); }
  void count(std::int64_t images) {
    constexpr double redraw_seconds = 0.5;
    static const bool terminal = isatty(STDERR_FILENO) == 1;
    images_ += images;
    if (!terminal || seconds() < drawn_ + redraw_seconds) return;
    drawn_ = seconds();
    std::fprintf(stderr, "\r%6.0f s  NFE %.1f per trajectory\x1b[K\r", drawn_, nfe());
  }

 private:
  std::int64_t trajectories_, images_ = 0;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  double drawn_ = 0;
};

/// The table, with --branches one that has a branch each for the conditional and the unconditional network.
Table with_branches(const Settings& s, Table table) {
  require(!s.branches || s.condition.guidance != 1, "branches", "given", "with --guidance other than 1");
  if (table.guidance)
    require(*table.guidance == s.condition.guidance, "guidance", s.condition.guidance,
            std::to_string(*table.guidance) + ", as the starting table's");
  if (!s.branches || table.branches() > 1) return table;
  return branched(std::move(table), s.condition.guidance, s.options.analytic_first_step);
}

/// --guidance-scales as a table's nodes.
/// @throws std::invalid_argument for scales out of range.
GuidanceScales scales_of(const Settings& s) {
  constexpr double least = 1, most = 1e3;
  const GuidanceScales scales{s.guidance_scales};
  scales.validate();
  for (const double scale : scales.nodes)
    require(scale >= least && scale <= most, "guidance-scales", scale, {least, " to ", most});
  return scales;
}

/// Returns the table of --start, or that of the solver. Takes the analytic first step of --start, and its Gaussian
/// start unless --gaussian-start is given.
Table starting_table(Settings& s, const Subject& subject) {
  if (!s.start.empty()) {
    const StoredTable file = read_stored_table(s.start);
    require(file.guidance_scales.empty(), "start", s.start.string(), "tables of one guidance scale");
    s.options.analytic_first_step = file.analytic_first_step;
    if (s.gaussian_start.empty() && !file.gaussian_start.empty())
      s.gaussian_start = s.start.parent_path() / file.gaussian_start;
    return file.table;
  }
  constexpr int default_order = 3;
  for_each_solver([&](const SolverInfo& solver) {
    if (solver.name == s.solver && !s.solver_settings.order && !solver.few_step_orders.empty())
      s.solver_settings.order = default_order;
  });
  if (!s.schedule_settings.levels.empty()) s.schedule = "custom";
  const Schedule schedule = make_schedule(s.schedule, subject.at_its_levels(s.schedule, s.schedule_settings));
  const Table table = table_of(s.solver, s.solver_settings, schedule);
  try {
    require_calibratable(table);
  } catch (const std::invalid_argument&) {
    refuse("solver", s.solver, "one of slopes, with one evaluation per step: " + calibratable_solvers());
  }
  return table;
}

void check_start(const Settings& s, const Table& start) {
  require_calibratable(start, static_cast<std::size_t>(s.images), s.options);
  require(start.rows.size() >= 2 || !s.options.analytic_first_step, "steps", 1,
          "2 or more with an analytic first step");
  if (s.gaussian_start.empty()) return;
  require(s.options.analytic_first_step, "gaussian-start", s.gaussian_start.string(), "with an analytic first step");
  const auto folder = [](const fs::path& path) { return fs::absolute(path).lexically_normal().parent_path(); };
  require(folder(s.gaussian_start) == folder(s.out), "gaussian-start", s.gaussian_start.string(),
          "files in the folder of --out, which names it");
}

/// What a fit needs beside the denoiser.
struct Problem {
  const Subject* subject;
  Table start;
  std::vector<Samples> noise;  // batches
  std::string command;
  const Meter* meter;
};

std::int64_t count_of_all(const std::vector<Samples>& batches) {
  std::int64_t count = 0;
  for (const Samples& batch : batches) count += count_of(batch);
  return count;
}

/// What decides the teacher's trajectories.
std::string teacher_text(const Settings& s, const Problem& problem, const std::vector<Samples>& noise, int steps) {
  std::ostringstream text;
  text.precision(17);
  text << "model " << problem.subject->text() << s.condition.text() << ", " << s.teacher << ", " << steps
       << " steps in each, seed " << s.seed << ", " << count_of_all(noise) << " images in batches of " << s.batch;
  if (!s.guidance_scales.empty()) text << ", guidance scales";
  for (const double scale : s.guidance_scales) text << " " << scale;
  text << ", levels";
  for (const double level : problem.start.schedule()) text << " " << level;
  return text.str();
}

/// The teacher's trajectories of these batches of noise, from the cache if they are stored.
template <class D>
std::vector<TeacherTrajectory<Samples>> teacher_trajectories(const Settings& s, const Problem& problem,
                                                             const D& denoise, const std::vector<Samples>& noise,
                                                             int steps) {
  const Schedule schedule = problem.start.schedule();
  const SamplesSolver teacher = samples_solver(s.teacher);
  const Shape& shape = problem.subject->sample_shape();
  const Cache::Arrays states = Cache(s.cache)(teacher_text(s, problem, noise, steps), [&] {
    Cache::Arrays made;
    Progress bar("teacher", static_cast<double>(count_of_all(noise)), "images");
    std::int64_t done = 0;
    for (const Samples& z : noise) {
      auto&& own = fewstep::detail::denoiser_of(denoise, made.size());
      const auto one = record_teacher(teacher, own, refined(schedule, steps), scaled(z, schedule[0]),
                                      {.stride = static_cast<std::size_t>(steps)});
      std::vector<Array> after_start;
      for (std::size_t i = 1; i < one.states.size(); ++i) after_start.push_back(array_of(one.states[i], shape));
      Array all = joined(after_start);
      all.shape[0] = count_of(z);
      all.shape.insert(all.shape.begin(), static_cast<std::int64_t>(after_start.size()));
      made[std::to_string(made.size())] = std::move(all);
      bar.update(static_cast<double>(done += count_of(z)));
    }
    return made;
  });
  std::vector<TeacherTrajectory<Samples>> batches;
  for (std::size_t b = 0; b < noise.size(); ++b) {
    Array all = states.at(std::to_string(b));  // [levels, batch, ...]
    all.shape.erase(all.shape.begin());
    all.shape[0] = count_of(noise[b]) * static_cast<std::int64_t>(schedule.steps());
    std::vector<Samples> one = batches_of(samples_of(all, problem.subject->place()), count_of(noise[b]));
    one.insert(one.begin(), scaled(noise[b], schedule[0]));
    batches.push_back({std::move(one), {}});
  }
  return batches;
}

void report(const CalibrationProgress& p, const Problem& problem) {
  const std::string after = p.stage == 0   ? "the starting table"
                            : p.stage == 1 ? "fitting the steps"
                                           : "iteration " + std::to_string(p.stage - 1);
  std::fprintf(stderr, "%6.0f s  NFE %.0f per trajectory  held-out RMS distance %.4f, median %.4f after %s\n",
               problem.meter->seconds(), problem.meter->nfe(), p.best_rms, p.best_median, after.c_str());
}

/// Writes the table and prints its distances.
void write_result(const Settings& s, const Problem& problem, const Calibration& made, double teacher_error) {
  char rms[200], median[100];
  std::snprintf(rms, sizeof rms, "%.4f at first, %.4f with steps fitted, %.4f in the end", made.start_rms,
                made.steps_rms, made.best_rms);
  std::snprintf(median, sizeof median, "%.4f at first, %.4f in the end", made.start_median, made.best_median);
  write_stored_table(
      s.out, {made.table, s.options.analytic_first_step, s.gaussian_start.filename().string(), s.guidance_scales},
      {{"command", problem.command}, {"held_out_rms", rms}, {"held_out_median", median}});
  std::printf("held-out RMS distance to the teacher%s: %s\nmedian: %s\nNFE %.0f per trajectory, %.0f s\nwrote %s\n",
              s.classifiers.empty() ? "" : ", features included", rms, median, problem.meter->nfe(),
              problem.meter->seconds(), s.out.c_str());
  for (const std::string& note : made.notes) std::printf("note: %s\n", note.c_str());
  constexpr double tolerable = 1. / 3;  // relative to the fitted table's distance
  if (teacher_error > tolerable * made.best_median)
    std::printf("note: the teacher's own median error is about %.4f; more --teacher-steps may improve the fit\n",
                teacher_error);
}

fs::path part_of(const Settings& s) { return s.out.string() + ".part"; }

template <class D>
void fit(Settings s, const Problem& problem, const D& denoise) {
  const fs::path part = part_of(s);
  const std::string state = description(s, *problem.subject, problem.command);
  s.options.resume = read_calibration_state(part, state);
  const auto teacher = teacher_trajectories(s, problem, denoise, problem.noise, s.teacher_steps);
  const int coarse_steps = s.teacher_steps / 2;
  const auto coarse = teacher_trajectories(s, problem, denoise, {problem.noise[0]}, coarse_steps);
  s.ends.set_axes(teacher[0].states.back());
  const auto numbers = static_cast<double>(numbers_of(problem.noise[0]) / count_of(problem.noise[0]));
  const double error = teacher_error(s.ends(teacher[0].states.back()), s.teacher_steps, s.ends(coarse[0].states.back()),
                                     coarse_steps, numbers);
  std::fprintf(stderr, "the teacher's own median error is about %.4f\n", error);
  s.options.report = [&](const CalibrationProgress& p) {
    report(p, problem);
    if (p.stage > 0) write_calibration_state(part, state, s.options.analytic_first_step, p);
    return true;
  };
  const Calibration made = calibrate(denoise, problem.start, teacher, s.options, s.ends);
  write_result(s, problem, made, error);
  fs::remove(part);
}

/// @throws std::invalid_argument if batches do not have the same labels, or their moments are not comparable.
void check_batches(const Settings& s, const Subject& subject) {
  const std::int64_t turns = subject.turns(s.condition);
  require(s.batch % turns == 0 || s.batch >= s.images, "batch", s.batch,
          "multiples of the " + std::to_string(turns) + " classes or conditions that take turns, or --images or more");
  const auto images = static_cast<std::size_t>(s.images), batch = static_cast<std::size_t>(s.batch);
  const bool whole = images % batch == 0 && s.options.held_out_count(images) % batch == 0;
  require(s.ends.moment_weight == 0 || whole, "moment-weight", s.ends.moment_weight,
          "0 unless --images and the held-out ones fill whole batches, since moments are those of a batch");
}

#ifdef FEWSTEP_TORCH
/// Fits with a Gaussian start in place of the analytic first step.
void fit_from_gaussian(const Settings& s, const Problem& problem, const ConditionalDenoiser& denoise) {
  const Subject& subject = *problem.subject;
  const auto start = load_gaussian_start(s.gaussian_start, shape_of(*subject.config()), subject.device());
  fit(s, problem, with_analytic_first_step(denoise, start->denoiser(denoise.labels(), denoise.guidance())));
}
#else
void fit_from_gaussian(const Settings&, const Problem&, const ConditionalDenoiser&) {}
#endif

/// Fits one table to a range of guidance scales.
/// @param denoiser_at  (const Condition&) -> denoiser
template <class F>
void fit_scales(Settings s, const Problem& problem, const F& denoiser_at) {
  const GuidanceScales scales = scales_of(s);
  require(problem.noise.size() >= 2 * scales.nodes.size(), "images", s.images,
          std::to_string(2 * scales.nodes.size()) + " batches or more, since each has a guidance scale of its own");
  s.options.jacobian_batches = 2 * scales.nodes.size();
  fit(s, problem, per_batch([&](std::size_t batch) {
        Condition condition = s.condition;
        condition.guidance = scale_of_batch(scales, batch);
        return scale_polynomials(denoiser_at(condition), scales, condition.guidance);
      }));
}

void run(Settings s, const std::string& command) {
  check_output("out", s.out, ".json");
  check_output("out", part_of(s), ".part");
  check_output_folder("cache", s.cache);
  const Subject subject(s.network);
  if (!s.guidance_scales.empty()) s.condition.guidance = scales_of(s).nodes.back();
  subject.check(s.condition);
  check_batches(s, subject);
  s.ends.load(s.classifiers, subject.sample_shape(), subject.place());
  Meter meter(s.images);
  const auto denoiser_at = [&](const Condition& condition) {
    return subject.denoiser(condition, 0, s.batch, [&](const Samples& x, const std::function<void()>& evaluate) {
      throw_if_interrupted();
      meter.count(count_of(x));
      evaluate();
    });
  };
  Table start = starting_table(s, subject);
  start = s.guidance_scales.empty() ? with_branches(s, std::move(start))
                                    : over_scales(start, scales_of(s), s.options.analytic_first_step).table;
  Problem problem{&subject, std::move(start), batches_of(subject.noise(training_numbers(s.seed, 0, s.images)), s.batch),
                  command, &meter};
  check_start(s, problem.start);
  if (!s.guidance_scales.empty()) return fit_scales(s, problem, denoiser_at);
  const ConditionalDenoiser denoise = denoiser_at(s.condition);
  if (s.gaussian_start.empty()) return fit(s, problem, denoise);
  require(subject.config(), "gaussian-start", s.gaussian_start.string(), "none for a described network");
  fit_from_gaussian(s, problem, denoise);
}

}  // namespace

int main(int argc, char** argv) {
  Settings s;
  CommandLine line("calibrate", "Fits a solver table to a network.");
  add_options(line, s);
  const auto kept = [&s] { return kept_in(part_of(s)); };
  return line.run(argc, argv, [&] { run_keeping(kept, [&] { run(s, line.text()); }); });
}
