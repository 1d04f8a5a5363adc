// Trains a time predictor for a network and a solver, by the published loop (Zhou et al. 2024, arXiv 2312.00094) or end
// to end:
//   train_amed --model fashion_mnist.safetensors --out amed_5.safetensors --steps 3 --afs --trajectories 2500
// Batch k depends on the seed and k only: the same command resumes a run at its checkpoint, with the same result as an
// uninterrupted run. A finished run continues if more trajectories are given.
#include "support/archive.hpp"
#include "support/cache.hpp"
#include "support/classic_race.hpp"
#include "support/command_line.hpp"
#include "support/noise_numbers.hpp"
#include "support/output.hpp"
#include "support/predictor_file.hpp"
#include "support/progress.hpp"
#include "support/sampler.hpp"
#include "support/signals.hpp"
#include "support/solver_list.hpp"
#include "support/subject.hpp"
#include "support/training_batches.hpp"

#include <fewstep/fitting/autotuning/comparison.hpp>
#include <fewstep/io/amed_file.hpp>
#include <fewstep/solvers/corrected_table.hpp>
#include <fewstep/torch/amed_predictor.hpp>
#include <fewstep/torch/finite_differences.hpp>
#include <fewstep/torch/probed_predictor.hpp>
#include <fewstep/torch/training.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace fewstep;
using namespace fewstep::examples;
using torch::Tensor;
namespace fs = std::filesystem;

struct Settings {
  NetworkOptions network;
  double guidance = 1;
  fs::path table, out, cache;
  io::AmedFile file;
  std::string target, variant;  // of file.solver_settings; empty: the solver's default
  std::string teacher = "heun", loss = "greedy", gradients;
  SolverSettings teacher_settings;
  int extra = 1, teacher_steps = 0;
  std::int64_t trajectories = 2'500, batch = 50, validation = 100, seed = 0;
  double lr = 5e-3, ema = 0, checkpoint_seconds = 60;
  double scale_dir = 0.01, scale_time = 0;
  EndLoss end_loss;
  FiniteDifferences differences;
  bool cosine = false, constants = false;

  bool end_to_end() const { return loss == "end-to-end"; }
  bool finite() const { return gradients == "finite"; }
};

void add_student_options(CommandLine& line, Settings& s) {
  line.group("Student");
  line.option("--solver", s.file.solver,
              "any solver; the predictor replaces its ratio, or adds an intermediate level to each step");
  line.option("--order", s.file.solver_settings.order, "order of the student, if it has several");
  line.option("--target,--form", s.target,
              "model output that the student uses, if it has both: slope (formerly noise), denoised (formerly data)")
      .one_of({"slope", "denoised", "noise", "data"});
  line.option("--variant", s.variant, "variant of UniPC").one_of({"bh1", "bh2"});
  line.option("--lower-order-final", s.file.solver_settings.lower_order_final,
              "of DPM-Solver++ and UniPC: true or false; true: lower orders in the last steps");
  line.option("--steps", s.file.schedule_settings.steps,
              "steps of the student; each takes twice the NFE of the plain solver, or two where the predictor replaces "
              "its ratio")
      .range(1, 1'000);
  line.option("--schedule", s.file.schedule, "karras, log_uniform, time_uniform, ...");
  line.option("--levels", s.file.schedule_settings.levels,
              "noise levels in place of schedule and steps, such as 80,9.7,0.47,0.002")
      .comma_separated()
      .excludes({"--steps", "--schedule"});
  line.option("--rho", s.file.schedule_settings.rho, "exponent of the schedule");
  line.option("--sigma-min", s.file.schedule_settings.sigma_min, "last level of the schedule (default: 0.002)")
      .excludes({"--levels"});
  line.option("--sigma-max", s.file.schedule_settings.sigma_max, "first level of the schedule (default: 80)")
      .excludes({"--levels"});
  line.flag("--afs", s.file.analytic_first_step, "analytic first step");
  line.flag("!--forget-analytic", s.file.analytic_in_history,
            "leave the slope of the analytic first step out of a multistep student's history");
  line.option("--table", s.table,
              "table of calibrate (.json) that the predictor corrects, in place of solver, levels and first step")
      .excludes({"--solver", "--order", "--steps", "--schedule", "--rho", "--levels", "--afs", "--target", "--variant",
                 "--lower-order-final", "--sigma-min", "--sigma-max"});
  line.option("--scale-dir", s.scale_dir, "range of the direction scale; 0: none").range(0., 0.999);
  line.option("--scale-time", s.scale_time, "range of the sigma scale; 0: none").range(0., 0.999);
  line.flag("--constants", s.constants, "predictor without features: one output per step for all samples");
}

void add_teacher_options(CommandLine& line, Settings& s) {
  line.group("Teacher");
  line.option("--teacher", s.teacher, "solver of the teacher").check(unknown_solver);
  line.option("--teacher-order", s.teacher_settings.order, "order of the teacher, if it has several");
  line.option("--extra", s.extra, "levels of the teacher between two of the student").range(0, 1'000);
  line.option("--teacher-steps", s.teacher_steps,
              "with --loss end-to-end: steps of the teacher on Karras levels of the same range, in place of --extra")
      .range(0, 10'000);
  line.option("--cache", s.cache, "folder for the teacher's states");
}

void add_training_options(CommandLine& line, Settings& s) {
  line.group("Training");
  line.option("--loss", s.loss,
              "greedy: after each step, as published; end-to-end: of the last state, with gradients through all steps")
      .one_of({"greedy", "end-to-end"});
  line.option("--huber", s.end_loss.huber,
              "with --loss end-to-end: larger differences count linearly; 0: all are squared")
      .not_negative();
  line.option("--shown", s.end_loss.shown,
              "with --loss end-to-end: clamp pixels to [-SHOWN, SHOWN], as in a picture; 0: not clamped")
      .not_negative();
  line.option("--gradients", s.gradients,
              "automatic: of LibTorch, through the network; finite: from differences of runs, without the network's "
              "(default: automatic for weights, finite for a described network)")
      .one_of({"automatic", "finite"});
  line.option("--epsilon", s.differences.epsilon,
              "with --gradients finite: distance by which an output of the predictor is shifted")
      .range(1e-6, 0.1);
  line.option("--trajectories", s.trajectories, "trajectories to train on").positive();
  line.option("--batch", s.batch, "trajectories per batch").range(1, 65'536);
  line.option("--validation", s.validation, "held-out trajectories, measured at each checkpoint").positive();
  line.option("--lr", s.lr, "Adam's learning rate").positive();
  line.flag("--cosine", s.cosine, "decrease the learning rate to 0 along a cosine");
  line.option("--ema", s.ema, "share of the averaged weights that each update keeps; 0: no average").range(0., 0.99999);
  line.option("--seed", s.seed, "seed of weights and noise").range(0, 1'000'000);
  line.option("--checkpoint-interval", s.checkpoint_seconds, "seconds between checkpoints").positive();
}

void add_options(CommandLine& line, Settings& s) {
  s.network.add_model(line);
  line.option("--out", s.out, "predictor to write (.safetensors); OUT.log and OUT.checkpoint are written too")
      .required();
  line.option("--guidance", s.guidance, "classifier-free guidance scale; other than 1, each step takes twice the NFE")
      .range(-1e3, 1e3);
  s.network.add_device(line);
  add_student_options(line, s);
  add_teacher_options(line, s);
  add_training_options(line, s);
}

/// Completes the settings: parses the names of enums, and takes solver and levels from --table.
void complete(Settings& s, const Subject& subject) {
  io::AmedFile& file = s.file;
  if (!s.target.empty()) {
    const std::string name = s.target == "noise" ? "slope" : s.target == "data" ? "denoised" : s.target;
    file.solver_settings.target = parse<Target>("target", name);
  }
  if (!s.variant.empty()) file.solver_settings.variant = parse<UniB>("variant", s.variant);
  if (!file.schedule_settings.levels.empty()) file.schedule = "custom";
  file.data_shape = subject.sample_shape();
  if (s.table.empty()) file.schedule_settings = subject.at_its_levels(file.schedule, file.schedule_settings);
  if (s.table.empty()) return;
  const io::TableFile fitted = io::read_table(s.table);
  require(fitted.gaussian_start.empty(), "table", s.table.string() + " with the start " + fitted.gaussian_start,
          "tables without a Gaussian start");
  require(fitted.guidance_scales.empty(), "table", s.table.string(), "tables of one guidance scale");
  file.table = fitted.table;
  file.solver = "table";
  file.schedule = "custom";
  file.schedule_settings.levels = every_second_level(fitted.table).levels();
  file.analytic_first_step = fitted.analytic_first_step;
}

Teacher teacher_of(const Settings& s, const Schedule& student) {
  if (s.teacher_steps > 0) {  // only the last state counts: all students of one range share one teacher
    require(s.end_to_end(), "teacher-steps", s.teacher_steps, "0 with --loss greedy, which takes --extra");
    const double first = student.levels().front(), last = student.levels().back();
    ScheduleSettings settings{.steps = s.teacher_steps, .sigma_min = last, .sigma_max = first};
    if (last == 0) settings.sigma_min = s.file.schedule_settings.sigma_min;
    const Schedule schedule = make_schedule("karras", settings);
    return {s.teacher, s.teacher_settings, schedule, schedule.steps()};
  }
  require(s.file.schedule != "custom", "levels", "given", "with --loss end-to-end --teacher-steps");
  ScheduleSettings settings = s.file.schedule_settings;
  settings.steps *= s.extra + 1;
  const Schedule schedule = make_schedule(s.file.schedule, settings);
  return {s.teacher, s.teacher_settings, schedule,
          s.end_to_end() ? schedule.steps() : static_cast<std::size_t>(s.extra) + 1};
}

AmedNetwork initial_network(const Settings& s, std::int64_t features) {
  AmedNetwork network =
      initial_amed_network(predictor_features(features), s.scale_dir, s.scale_time, static_cast<std::uint64_t>(s.seed));
  if (s.file.table) {  // heads of 0 leave the table uncorrected at first
    for (auto* head : {&network.ratio, &network.direction_scale, &network.sigma_scale})
      if (*head) std::fill((*head)->weight.begin(), (*head)->weight.end(), 0.);
  }
  // Weights of 0 have gradients of 0, so features have no effect during training either.
  if (s.constants) std::fill(network.encode_0.weight.begin(), network.encode_0.weight.end(), 0.);
  return network;
}

std::string digits(int count, double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.*g", count, value);
  return text;
}
std::string four_digits(double value) { return digits(4, value); }
std::string six_digits(double value) { return digits(6, value); }

/// A predictor in training: parameters, their average, and Adam.
class TrainedPredictor {
 public:
  TrainedPredictor(const Settings& s, const AmedNetwork& initial, torch::Device device)
      : predictor_(initial, torch::TensorOptions(device)),
        adam_(predictor_.parameters(), s.lr),
        ema_(s.ema),
        constants_(s.constants) {
    for (const Tensor& p : predictor_.parameters()) average_.push_back(p.detach().clone());
  }

  AmedNetwork network() const { return predictor_.network(); }

  /// The predictor for a solver.
  /// @param probe   for gradients by finite differences
  /// @param ratios  each prediction's mean ratio is appended, except those of shifted runs
  SamplesPredictor plug(const PredictorProbe& probe, std::vector<double>& ratios) const {
    const auto predict = [this](const Step<Tensor>& n, const Tensor* features, Prediction<Tensor>& out) {
      predictor_(n, constants_ ? nullptr : features, out);
    };
    const ProbedPredictor probed{predict, probe};
    return {[probed, &ratios](const Step<Tensor>& n, const Tensor* features, Prediction<Tensor>& out) {
      probed(n, features, out);
      if (probed.probe.shifted()) return;
      ratios.push_back(out.ratio.per_sample() ? out.ratio.each().mean().item<double>() : out.ratio.value());
    }};
  }

  void update(const Tensor& loss, double lr) {
    adam_.set_learning_rate(lr);
    adam_.step(loss);
    const torch::NoGradGuard no_grad;
    const auto parameters = predictor_.parameters();
    for (std::size_t i = 0; i < parameters.size(); ++i) average_[i].lerp_(parameters[i], 1 - ema_);
  }

  /// Exchanges parameters and average.
  void swap_average() {
    const torch::NoGradGuard no_grad;
    auto parameters = predictor_.parameters();
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const Tensor kept = parameters[i].clone();
      parameters[i].copy_(average_[i]);
      average_[i].copy_(kept);
    }
  }

  void save(torch::serialize::OutputArchive& archive) {
    torch::serialize::OutputArchive adam;
    adam_.optimizer().save(adam);
    archive.write("adam", adam);
    const auto parameters = predictor_.parameters();
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      archive.write("parameter" + std::to_string(i), parameters[i]);
      archive.write("average" + std::to_string(i), average_[i]);
    }
  }

  void load(torch::serialize::InputArchive& archive) {
    torch::serialize::InputArchive adam;
    archive.read("adam", adam);
    adam_.optimizer().load(adam);
    const torch::NoGradGuard no_grad;
    auto parameters = predictor_.parameters();
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      Tensor stored;
      archive.read("parameter" + std::to_string(i), stored);
      parameters[i].copy_(stored);
      archive.read("average" + std::to_string(i), stored);
      average_[i].copy_(stored);
    }
  }

 private:
  TensorAmedPredictor predictor_;
  PublishedAdam adam_;
  double ema_;
  bool constants_;
  std::vector<Tensor> average_;
};

class Trainer {
 public:
  /// @throws std::runtime_error for a checkpoint of other settings.
  Trainer(const Settings& settings, const Subject& subject)
      : s_(settings),
        network_text_(subject.text() + Condition{.guidance = s_.guidance}.text()),
        schedule_(make_schedule(s_.file.schedule, s_.file.schedule_settings)),
        teacher_(teacher_of(s_, schedule_)),
        batches_(subject, s_.guidance, s_.seed, teacher_, s_.cache),
        predictor_(s_, initial_network(s_, subject.feature_size()), subject.device()),
        student_(with_predictor(s_.file, predictor_.plug(probe_, ratios_))) {
    if (fs::exists(checkpoint())) resume();
  }
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  /// @throws Interrupted after a signal, with the state of the last step saved.
  void run(const std::string& command) {
    try {
      const double distance = train(command);
      write(command, distance);
      compare_with_classic();
    } catch (const Interrupted&) {  // thrown only between two steps
      save();
      throw Interrupted("the same command continues from " + checkpoint().string());
    }
  }

 private:
  fs::path checkpoint() const { return s_.out.string() + ".checkpoint"; }

  /// Returns the RMS distance of the trained predictor on held-out samples.
  double train(const std::string& command) {
    Log log(s_.out.string() + ".log");
    double distance = validate();
    log.write("# " + command + "\n# starting at trajectory " + std::to_string(done_) + ", validation " +
              six_digits(distance));
    Progress bar("train", static_cast<double>(s_.trajectories), "trajectories", static_cast<double>(done_));
    auto saved = std::chrono::steady_clock::now();
    while (done_ < s_.trajectories) {
      throw_if_interrupted();
      std::string note = step();
      const std::chrono::duration<double> unsaved = std::chrono::steady_clock::now() - saved;
      if (unsaved.count() >= s_.checkpoint_seconds || done_ == s_.trajectories) {
        save();
        distance = validate();
        note += "  validation " + four_digits(distance);
        saved = std::chrono::steady_clock::now();
      }
      bar.update(static_cast<double>(done_), note);
      log.write("trajectories " + std::to_string(done_) + "  " + note);
    }
    log.write("# validation " + six_digits(distance));
    return distance;
  }

  Options options() const {
    return {.analytic_first_step = s_.file.analytic_first_step,
            .analytic_in_history = s_.file.analytic_in_history,
            .check = Check::off};
  }

  double learning_rate() const {
    const double share = static_cast<double>(done_) / static_cast<double>(s_.trajectories);
    return s_.cosine ? s_.lr * 0.5 * (1 + std::cos(std::acos(-1.) * share)) : s_.lr;
  }

  /// Trains on one batch. @return losses and mean ratios, for the log
  std::string step() {
    const std::int64_t count = (std::min)(s_.batch, s_.trajectories - done_);
    const Batch b = batches_(done_, count);
    std::string note = "loss";
    ratios_.clear();
    const auto update = [&](const Tensor& loss) {
      note += " " + four_digits(loss.item<double>());
      predictor_.update(loss, learning_rate());
    };
    if (s_.end_to_end()) {
      update(loss_at_end(b));
    } else {
      const Restart restart = is_multistep(student_) ? Restart::student : Restart::teacher;
      const auto update_after = [&](const GreedyStep& step) { update(step.loss); };
      if (s_.finite())
        finite_greedy_pass(student_, b.denoise, schedule_, options(), b.teacher, restart, update_after, probe_,
                           s_.differences);
      else greedy_pass(student_, b.denoise, schedule_, options(), b.teacher, restart, update_after);
    }
    done_ += count;
    note += "  ratio";
    for (const double r : ratios_) note += " " + four_digits(r);
    return note;
  }

  Tensor loss_at_end(const Batch& b) const {
    if (s_.finite())
      return finite_end_to_end_loss(student_, b.denoise, schedule_, options(), b.x, b.teacher.back(), probe_,
                                    s_.end_loss, s_.differences);
    return end_to_end_loss(student_, b.denoise, schedule_, options(), b.x, b.teacher.back(), s_.end_loss);
  }

  void add_held_out() {
    for (std::int64_t first = 0; first < s_.validation; first += s_.batch) {
      Batch b = batches_(validation_begins + first, (std::min)(s_.batch, s_.validation - first));
      b.teacher = {b.teacher.back().clone()};  // a view would keep the states of all levels
      held_out_.push_back(std::move(b));
    }
  }

  /// RMS distance between the last states of student and teacher on held-out samples, with the averaged weights.
  double validate() {
    if (held_out_.empty()) add_held_out();
    double sum = 0;
    predictor_.swap_average();
    for (const Batch& b : held_out_) {
      if (interrupted()) break;
      for (const double square : squares(b, integrate(student_, b.denoise, schedule_, b.x, options()).x)) sum += square;
    }
    predictor_.swap_average();
    throw_if_interrupted();
    return std::sqrt(sum / static_cast<double>(s_.validation));
  }

  /// Squared distances per number between ends and the teacher's, one per sample.
  static std::vector<double> squares(const Batch& b, const Tensor& end) {
    const Tensor all = (end - b.teacher.back()).flatten(1).square().mean(1).to(torch::kCPU, torch::kFloat64);
    return {all.data_ptr<double>(), all.data_ptr<double>() + all.numel()};
  }

  /// Prints what the predictor gains over the best classic solver at the same NFE, which is chosen on the samples that
  /// it is measured on.
  void compare_with_classic() {
    constexpr double lowest = 0.002;  // level, where the student ends at 0
    const std::vector<double>& levels = schedule_.levels();
    const int nfe = evaluations(student_, schedule_, options());
    const auto of_table = [&](const Table& table, bool afs, std::size_t batch) {
      throw_if_interrupted();
      const Batch& b = held_out_[batch];
      std::vector<double> all =
          squares(b, integrate(table, b.denoise, table.schedule(), b.x, {.analytic_first_step = afs}).x);
      for (double& square : all)
        if (!std::isfinite(square)) square = fewstep::detail::lost_sample;
      return all;
    };
    const ClassicSolver classic =
        best_classic(nfe, levels.back() > 0 ? levels.back() : (std::min)(lowest, levels[0] / 2), levels[0],
                     held_out_.size(), of_table);
    std::vector<double> own;
    for (const Batch& b : held_out_)
      for (const double square : squares(b, integrate(student_, b.denoise, schedule_, b.x, options()).x))
        own.push_back(std::isfinite(square) ? square : fewstep::detail::lost_sample);
    const UnseenComparison made = fewstep::detail::compare_unseen(own, classic.squares);
    std::printf("best of %zu classic settings at the same NFE, %s: %.4f\n", classic.raced, classic.text.c_str(),
                made.classic.rms);
    std::printf("relative to it: RMS %.3f to %.3f, median %.3f to %.3f (95%% intervals)\n", made.rms_ratio[0],
                made.rms_ratio[1], made.median_ratio[0], made.median_ratio[1]);
    if (!made.better()) std::printf("note: on these trajectories the predictor is not better than that solver\n");
  }

  /// Writes the predictor with its averaged weights.
  void write(const std::string& command, double distance) {
    predictor_.swap_average();
    s_.file.network = predictor_.network();
    s_.file.training = {
        {"command", command}, {"trajectories", std::to_string(done_)}, {"validation_rms", std::to_string(distance)}};
    io::write_amed(s_.out, s_.file);
    std::printf("RMS distance to the teacher on %lld held-out trajectories: %.4f\nwrote %s\n",
                static_cast<long long>(s_.validation), distance, s_.out.c_str());
  }

  /// Everything that decides the weights, apart from the number of trajectories, which may grow.
  nlohmann::json fixed_settings() const {
    return {{"model", network_text_},
            {"student", s_.table.empty() ? description_of(s_.file.solver, s_.file.solver_settings)
                                         : "table " + fingerprint(s_.table)},
            {"levels", schedule_.levels()},
            {"afs", s_.file.analytic_first_step},
            {"forget-analytic", !s_.file.analytic_in_history},
            {"scale-dir", s_.scale_dir},
            {"scale-time", s_.scale_time},
            {"constants", s_.constants},
            {"teacher", description_of(s_.teacher, s_.teacher_settings)},
            {"the teacher's levels", teacher_.schedule.levels()},
            {"loss", s_.loss},
            {"huber", s_.end_loss.huber},
            {"shown", s_.end_loss.shown},
            {"gradients", s_.gradients},
            {"epsilon", s_.finite() ? s_.differences.epsilon : 0.},
            {"batch", s_.batch},
            {"lr", s_.lr},
            {"cosine", s_.cosine},
            {"ema", s_.ema},
            {"seed", s_.seed},
            {"bf16", s_.network.bf16}};
  }

  void save() {
    torch::serialize::OutputArchive archive;
    archive.write("settings", c10::IValue(fixed_settings().dump()));
    archive.write("done", torch::tensor(done_));
    predictor_.save(archive);
    save_archive(checkpoint(), archive);
  }

  /// Returns why the checkpoint does not fit; empty: it fits.
  std::string difference(torch::serialize::InputArchive& archive) const {
    c10::IValue text;
    if (!archive.try_read("settings", text)) return "no settings: an old version wrote it";
    const nlohmann::json stored = io::parse_json(text.toStringRef()), fixed = fixed_settings();
    std::string different;
    for (const auto& [name, value] : fixed.items())
      if (const nlohmann::json old = stored.value(name, nlohmann::json()); old != value)
        different += (different.empty() ? "" : ", ") + name + " " + old.dump() + ", not " + value.dump();
    return different.empty() ? "" : "other settings (" + different + ")";
  }

  void resume() {
    std::string why;
    load_archive(checkpoint(), [&](torch::serialize::InputArchive& archive) {
      why = difference(archive);
      if (!why.empty()) return;
      predictor_.load(archive);
      Tensor done;
      archive.read("done", done);
      done_ = done.item<std::int64_t>();
      require(done_ >= 0, "done", done_, "0 or more");
    });
    if (!why.empty()) throw std::runtime_error(checkpoint().string() + " has " + why + "; remove it to start over");
    std::fprintf(stderr, "resuming at trajectory %lld\n", static_cast<long long>(done_));
  }

  Settings s_;
  std::string network_text_;
  Schedule schedule_;
  Teacher teacher_;
  TrainingBatches batches_;
  TrainedPredictor predictor_;
  PredictorProbe probe_;        // in the student's predictor
  std::vector<double> ratios_;  // mean ratio of each prediction since it was cleared
  SamplesSolver student_;
  std::vector<Batch> held_out_;  // for validation, with only the last of the teacher's states
  std::int64_t done_ = 0;
};

void run(Settings s, const std::string& command) {
  check_output("out", s.out, ".safetensors", s.network.model);
  for (const char* beside : {".log", ".checkpoint"}) check_output("out", s.out.string() + beside, beside);
  check_output_folder("cache", s.cache);
  const Subject subject(s.network);
  require(s.constants || subject.feature_size() > 0, "constants", "missing",
          "with a network without a feature, which a predictor reads");
  if (s.gradients.empty()) s.gradients = subject.has_gradients() ? "automatic" : "finite";
  require(s.finite() || subject.has_gradients(), "gradients", s.gradients, "finite for a described network");
  subject.check({.guidance = s.guidance});
  complete(s, subject);
  Trainer(s, subject).run(command);
}

}  // namespace

int main(int argc, char** argv) {
  Settings s;
  s.file.schedule_settings.steps = 3;
  CommandLine line("train_amed", "Trains a time predictor; run it again to resume.");
  add_options(line, s);
  return line.run(argc, argv, [&] { run(s, line.text()); });
}
