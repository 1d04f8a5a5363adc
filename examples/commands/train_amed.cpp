// Trains a time predictor for a network and a solver: the published loop (Zhou et al. 2024, arXiv 2312.00094), or end
// to end.
//   train_amed --model fashion_mnist.safetensors --out amed_5.safetensors --steps 3 --afs --trajectories 2500
// Batch k depends on the seed and k alone: a run that was killed goes on where its checkpoint stands and ends the same.
// One that has ended goes on too, where it is asked for more trajectories.
#include "support/cache.hpp"
#include "support/command_line.hpp"
#include "support/network.hpp"
#include "support/noise_numbers.hpp"
#include "support/output.hpp"
#include "support/predictor_file.hpp"
#include "support/progress.hpp"
#include "support/solver_name.hpp"

#include <fewstep/io/amed_file.hpp>
#include <fewstep/names.hpp>
#include <fewstep/torch.hpp>
#include <fewstep/torch/amed_predictor.hpp>
#include <fewstep/torch/safetensors.hpp>
#include <fewstep/torch/training.hpp>

#include <torch/torch.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>
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
  fs::path model, table, out, cache;
  std::string teacher = "heun", loss = "greedy", device = "cpu";
  io::AmedFile file;
  SolverSettings teacher_settings;
  int extra = 1, teacher_steps = 0;
  std::int64_t trajectories = 2'500, batch = 50, validation = 100, seed = 0;
  double lr = 5e-3, ema = 0, checkpoint_seconds = 60;
  double scale_dir = 0.01, scale_time = 0;
  EndLoss end_loss;
  bool cosine = false, bf16 = false, constants = false;

  bool end_to_end() const { return loss == "end-to-end"; }
};

std::string four_digits(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", value);
  return text;
}

/// The network for samples of given classes, one row each.
struct Network {
  std::shared_ptr<const EdmDenoiser> unet;
  Tensor labels;
  EdmDenoiser::Output operator()(const Tensor& x, const Tensor& sigma) const { return unet->forward(x, sigma, labels); }
};

/// The predictor in training: its mean ratios are looked at, and it may be kept from the features.
struct Watched {
  [[maybe_unused]] static constexpr bool per_sample = true;
  TensorAmedPredictor inner;
  bool constants;
  std::vector<double>* means;
  void operator()(const Step<Tensor>& n, const Tensor* features, Prediction<Tensor>& out) const {
    inner(n, constants ? nullptr : features, out);
    means->push_back(out.ratio.per_sample() ? out.ratio.each().mean().item<double>() : out.ratio.value());
  }
};

class Trainer {
 public:
  explicit Trainer(const Settings& settings)
      : s_(settings),
        device_(parse_device(s_.device)),
        unet_(load_unet(s_.model)),
        model_(fingerprint(s_.model)),
        cache_(s_.cache) {
    unet_->to(device_);
    if (s_.bf16) unet_->compute_type = torch::kBFloat16;
    for (Tensor& p : unet_->parameters()) p.requires_grad_(false);
    unet_->eval();
    const UnetConfig& config = unet_->config();
    s_.file.data_shape = {config.img_channels, config.img_resolution, config.img_resolution};
    if (!s_.table.empty()) {
      const io::TableFile fitted = io::read_table(s_.table);
      require(fitted.gaussian_start.empty(), "table", s_.table.string() + " with the start " + fitted.gaussian_start,
              "tables whose analytic start is N(0, 1)'s");
      s_.file.table = fitted.table;
      s_.file.solver = "table";
      s_.file.schedule = "custom";
      s_.file.schedule_settings.levels = every_second_level(fitted.table).levels();
      s_.file.analytic_first_step = fitted.analytic_first_step;
    }
    schedule_.emplace(make_schedule(s_.file.schedule, s_.file.schedule_settings));
    if (s_.teacher_steps > 0) {  // only the end counts for the loss at the end: all students share one teacher
      require(s_.end_to_end(), "teacher-steps", s_.teacher_steps, "0 where the loss is greedy: give --extra");
      const double first = schedule_->levels().front(), last = schedule_->levels().back();
      fine_.emplace(karras({.steps = s_.teacher_steps,
                            .sigma_min = last > 0 ? last : s_.file.schedule_settings.sigma_min,
                            .sigma_max = first}));
    } else {
      require(s_.file.schedule != "custom", "levels", "given", "with --loss end-to-end --teacher-steps");
      ScheduleSettings fine = s_.file.schedule_settings;
      fine.steps *= s_.extra + 1;
      fine_.emplace(make_schedule(s_.file.schedule, fine));
    }
    stride_ = s_.end_to_end() ? fine_->steps() : static_cast<std::size_t>(s_.extra) + 1;
    make_solver<Tensor>(s_.teacher, s_.teacher_settings);
    const auto seed = static_cast<std::uint64_t>(s_.seed);
    AmedNetwork initial = initial_amed_network(feature_numbers(config), s_.scale_dir, s_.scale_time, seed);
    if (s_.file.table) {  // nothing is corrected at first
      for (auto* head : {&initial.ratio, &initial.direction_scale, &initial.sigma_scale})
        if (*head) std::fill((*head)->weight.begin(), (*head)->weight.end(), 0.);
    }
    if (s_.constants) std::fill(initial.encode_0.weight.begin(), initial.encode_0.weight.end(), 0.);  // and stay so
    predictor_.emplace(initial, torch::TensorOptions(device_));
    adam_.emplace(predictor_->parameters(), s_.lr);
    for (const Tensor& p : predictor_->parameters()) average_.push_back(p.detach().clone());
    deciding_ = deciding();
    if (fs::exists(checkpoint())) resume();
  }

  void run(const std::string& command) {
    std::ofstream log(s_.out.string() + ".log", std::ios::app);
    double distance = validate();
    log << "# " << command << "\n# starting at trajectory " << done_ << ", validation " << distance << std::endl;
    Progress bar("train", static_cast<double>(s_.trajectories), "trajectories", static_cast<double>(done_));
    auto saved = std::chrono::steady_clock::now();
    while (done_ < s_.trajectories) {
      std::string note = step();
      const std::chrono::duration<double> unsaved = std::chrono::steady_clock::now() - saved;
      if (unsaved.count() >= s_.checkpoint_seconds || done_ == s_.trajectories) {
        save();
        distance = validate();
        note += "  validation " + four_digits(distance);
        saved = std::chrono::steady_clock::now();
      }
      bar.update(static_cast<double>(done_), note);
      log << "trajectories " << done_ << "  " << note << std::endl;
    }
    bar.finish();
    log << "# validation " << distance << std::endl;
    trade_average();
    s_.file.network = predictor_->network();
    s_.file.training = {
        {"command", command}, {"trajectories", std::to_string(done_)}, {"validation_rms", std::to_string(distance)}};
    io::write_amed(s_.out, s_.file);
    std::printf("rms distance to the teacher, %lld trajectories never trained on: %.4f\nwrote %s\n",
                static_cast<long long>(s_.validation), distance, s_.out.string().c_str());
  }

 private:
  fs::path checkpoint() const { return s_.out.string() + ".checkpoint"; }

  /// All that decides the weights but the number of trajectories, which may grow.
  nlohmann::json deciding() const {
    return {{"model", model_},
            {"student",
             s_.table.empty() ? describe(s_.file.solver, s_.file.solver_settings) : "table " + fingerprint(s_.table)},
            {"levels", schedule_->levels()},
            {"afs", s_.file.analytic_first_step},
            {"forget-analytic", !s_.file.analytic_in_history},
            {"scale-dir", s_.scale_dir},
            {"scale-time", s_.scale_time},
            {"constants", s_.constants},
            {"teacher", describe(s_.teacher, s_.teacher_settings)},
            {"the teacher's levels", fine_->levels()},
            {"loss", s_.loss},
            {"huber", s_.end_loss.huber},
            {"shown", s_.end_loss.shown},
            {"batch", s_.batch},
            {"lr", s_.lr},
            {"cosine", s_.cosine},
            {"ema", s_.ema},
            {"seed", s_.seed},
            {"bf16", s_.bf16}};
  }

  static constexpr std::int64_t part_size = 50;
  struct Batch {
    Tensor x;
    Network network;
    std::vector<Tensor> teacher;  // the start, and a state for each step
  };
  /// Noise and classes of the samples `first` to `first` + `count`.
  Batch start(std::int64_t first, std::int64_t count) {
    const std::vector<std::uint64_t> seeds = training_numbers(s_.seed, first, count);
    Batch b{tensor_noise(seeds, s_.file.data_shape, torch::TensorOptions(device_)) * (*schedule_)[0], {unet_, {}}, {}};
    if (const auto classes = unet_->config().label_dim) {
      std::vector<Tensor> list;
      for (const std::uint64_t seed : seeds)
        list.push_back(torch::randint(classes, {1}, at::detail::createCPUGenerator(~seed), torch::kInt64));
      b.network.labels = class_rows(torch::cat(list), classes).to(device_);
    }
    return b;
  }
  /// The same with the teacher's states.
  Batch draw(std::int64_t first, std::int64_t count) {
    Batch b = start(first, count);
    std::vector<Tensor> parts;
    for (std::int64_t part = first / part_size; part * part_size < first + count; ++part)
      parts.push_back(teacher(part));
    const Tensor states = torch::cat(parts, 1).narrow(1, first % part_size, count).to(device_);
    b.teacher.push_back(b.x);
    for (std::int64_t i = 0; i < states.size(0); ++i) b.teacher.push_back(states[i]);
    return b;
  }
  /// [levels, part_size, ...]: the teacher's states, in parts that do not depend on the size of a batch; the last one
  /// is kept, and the cache may have the others.
  Tensor teacher(std::int64_t part) {
    if (part == last_part_) return last_states_;
    std::ostringstream text;
    text << "states of " << s_.teacher << " of order " << s_.teacher_settings.order.value_or(0) << ", model " << model_
         << (s_.bf16 ? " in bf16" : "") << ", seed " << s_.seed << ", samples " << part * part_size << " + "
         << part_size << ", every " << stride_ << " of levels";
    for (const double level : *fine_) text << " " << level;
    last_states_ = cache_(text.str(), [&] {
                     const Batch b = start(part * part_size, part_size);
                     const auto solver = make_solver<Tensor>(s_.teacher, s_.teacher_settings);
                     const std::vector<Tensor> states =
                         record_teacher(solver, b.network, *fine_, b.x, {.stride = stride_}).states;
                     return Cache::Tensors{
                         {"states", torch::stack(at::TensorList(states).slice(1)).to(torch::kCPU)}};  // not the start
                   }).at("states");
    last_part_ = part;
    return last_states_;
  }

  AnySolver<Tensor> student() { return with_predictor(s_.file, Watched{*predictor_, s_.constants, &ratios_}); }
  Options options() const {
    return {.analytic_first_step = s_.file.analytic_first_step,
            .analytic_in_history = s_.file.analytic_in_history,
            .check = Check::off};
  }

  void update(const Tensor& loss) {
    const double share = static_cast<double>(done_) / static_cast<double>(s_.trajectories);
    const double lr = s_.cosine ? s_.lr * 0.5 * (1 + std::cos(std::acos(-1.) * share)) : s_.lr;
    for (auto& group : adam_->optimizer().param_groups())
      static_cast<torch::optim::AdamOptions&>(group.options()).lr(lr);
    adam_->step(loss);
    const torch::NoGradGuard no_grad;
    const auto fresh = predictor_->parameters();
    for (std::size_t i = 0; i < fresh.size(); ++i) average_[i].lerp_(fresh[i], 1 - s_.ema);
  }

  std::string step() {
    const std::int64_t count = (std::min)(s_.batch, s_.trajectories - done_);
    const Batch b = draw(done_, count);
    std::string note = "loss";
    const auto add = [&](double value) { note += " " + four_digits(value); };
    ratios_.clear();
    if (s_.end_to_end()) {
      const Tensor loss =
          end_to_end_loss(student(), b.network, *schedule_, options(), b.x, b.teacher.back(), s_.end_loss);
      add(loss.item<double>());
      update(loss);
    } else {
      // By name: what a solver remembers of its last step is its own affair, which no concept tells.
      const bool one_step =
          s_.file.solver == "amed" || s_.file.solver == "dpm2" || s_.file.solver == "euler" || s_.file.solver == "heun";
      greedy_pass(student(), b.network, *schedule_, options(), b.teacher,
                  one_step ? Restart::teacher : Restart::student, [&](const GreedyStep& step) {
                    add(step.loss.item<double>());
                    update(step.loss);
                  });
    }
    done_ += count;
    note += "  ratio";
    for (const double r : ratios_) add(r);
    return note;
  }

  void hold_out() {
    for (std::int64_t first = 0; first < s_.validation; first += s_.batch) {
      Batch b = draw(validation_begins + first, (std::min)(s_.batch, s_.validation - first));
      b.teacher = {b.teacher.back().clone()};  // a view would keep the states of all levels
      held_out_.push_back(std::move(b));
    }
  }

  /// The root mean square distance of the student's ends to the teacher's, with the averaged weights, on samples that
  /// are never trained on.
  double validate() {
    if (held_out_.empty()) hold_out();
    trade_average();
    double sum = 0;
    std::int64_t numbers = 0;
    for (const Batch& b : held_out_) {
      const Tensor end = integrate(student(), b.network, *schedule_, b.x, options()).x;
      sum += (end - b.teacher.back()).square().sum().item<double>();
      numbers += end.numel();
    }
    trade_average();
    return std::sqrt(sum / static_cast<double>(numbers));
  }

  /// The weights in training for their average, and back.
  void trade_average() {
    const torch::NoGradGuard no_grad;
    auto fresh = predictor_->parameters();
    for (std::size_t i = 0; i < fresh.size(); ++i) {
      const Tensor kept = fresh[i].clone();
      fresh[i].copy_(average_[i]);
      average_[i].copy_(kept);
    }
  }

  void save() {
    torch::serialize::OutputArchive archive, adam;
    adam_->optimizer().save(adam);
    archive.write("settings", c10::IValue(deciding_.dump()));
    archive.write("adam", adam);
    archive.write("done", torch::tensor(done_));
    const auto fresh = predictor_->parameters();
    for (std::size_t i = 0; i < fresh.size(); ++i) {
      archive.write("parameter" + std::to_string(i), fresh[i]);
      archive.write("average" + std::to_string(i), average_[i]);
    }
    const fs::path part = checkpoint().string() + ".part";
    archive.save_to(part.string());
    fs::rename(part, checkpoint());
  }

  /// @throws std::runtime_error for a checkpoint of other settings.
  void check_settings(torch::serialize::InputArchive& archive) const {
    const auto refuse = [&](const std::string& why) {
      throw std::runtime_error(checkpoint().string() + " is of " + why + "; remove it to begin anew");
    };
    c10::IValue text;
    if (!archive.try_read("settings", text)) refuse("a version that kept no settings");
    const nlohmann::json kept = nlohmann::json::parse(text.toStringRef());
    std::string different;
    for (const auto& [name, value] : deciding_.items())
      if (kept.value(name, nlohmann::json()) != value)
        different += (different.empty() ? "" : ", ") + name + " " + kept.value(name, nlohmann::json()).dump() +
                     ", not " + value.dump();
    if (!different.empty()) refuse("other settings (" + different + ")");
  }

  void resume() {
    torch::serialize::InputArchive archive, adam;
    archive.load_from(checkpoint().string());
    check_settings(archive);
    archive.read("adam", adam);
    adam_->optimizer().load(adam);
    Tensor done;
    archive.read("done", done);
    done_ = done.item<std::int64_t>();
    const torch::NoGradGuard no_grad;
    auto fresh = predictor_->parameters();
    for (std::size_t i = 0; i < fresh.size(); ++i) {
      Tensor stored;
      archive.read("parameter" + std::to_string(i), stored);
      fresh[i].copy_(stored);
      archive.read("average" + std::to_string(i), stored);
      average_[i].copy_(stored);
    }
    std::fprintf(stderr, "resuming at trajectory %lld\n", static_cast<long long>(done_));
  }

  Settings s_;
  torch::Device device_;
  std::shared_ptr<EdmDenoiser> unet_;
  std::string model_;
  Cache cache_;
  std::optional<Schedule> schedule_, fine_;
  std::size_t stride_ = 1;
  nlohmann::json deciding_;
  std::optional<TensorAmedPredictor> predictor_;
  std::optional<PublishedAdam> adam_;
  std::vector<Tensor> average_;
  std::vector<Batch> held_out_;  // for validation: noise, classes, the teacher's ends
  std::int64_t last_part_ = -1;
  Tensor last_states_;
  std::vector<double> ratios_;  // mean of each step, since cleared
  std::int64_t done_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  Settings s;
  s.file.schedule_settings.steps = 3;
  CLI::App app{"Trains a time predictor; run it again to resume."};
  plain_words(app);
  app.add_option("--model", s.model, "weights of the network (safetensors)")->required();
  app.add_option("--out", s.out, "predictor to write (.safetensors); .log and .checkpoint stand beside it")->required();
  app.add_option("--solver", s.file.solver, "amed, dpm2 (the predictor is theirs), or any other (it is plugged in)");
  app.add_option("--order", s.file.solver_settings.order, "of the student, where it has several");
  app.add_option_function<std::string>(
         "--form",
         [&](const std::string& name) {
           s.file.solver_settings.target = name == "data" ? Target::denoised : Target::slope;
         },
         "of the student, where it has both: data, noise")
      ->check(CLI::IsMember({"data", "noise"}));
  app.add_option_function<std::string>(
         "--variant",
         [&](const std::string& name) { s.file.solver_settings.variant = name == "bh1" ? UniB::bh1 : UniB::bh2; },
         "of unipc: bh1, bh2")
      ->check(CLI::IsMember({"bh1", "bh2"}));
  app.add_option("--lower-order-final", s.file.solver_settings.lower_order_final,
                 "of dpmpp and unipc: true, lower orders in the last steps; or false");
  app.add_option("--steps", s.file.schedule_settings.steps,
                 "of the student: each of two evaluations with amed and dpm2, of twice the solver's own with any other")
      ->check(CLI::Range(1, 1'000));
  app.add_option("--schedule", s.file.schedule, "karras, log_uniform, time_uniform");
  const auto* levels = app.add_option("--levels", s.file.schedule_settings.levels,
                                      "noise levels in place of schedule and steps, such as 80,9.7,0.47,0.002")
                           ->delimiter(',')
                           ->excludes("--steps")
                           ->excludes("--schedule");
  app.add_option("--rho", s.file.schedule_settings.rho, "the schedule's exponent");
  app.add_option("--sigma-min", s.file.schedule_settings.sigma_min, "the schedule's last level")->excludes("--levels");
  app.add_option("--sigma-max", s.file.schedule_settings.sigma_max, "the schedule's first level")->excludes("--levels");
  app.add_flag("--afs", s.file.analytic_first_step, "analytic first step");
  app.add_option("--table", s.table,
                 "a table of calibrate (.json) that the predictor corrects, in place of solver, levels and start")
      ->excludes("--solver")
      ->excludes("--order")
      ->excludes("--steps")
      ->excludes("--schedule")
      ->excludes("--rho")
      ->excludes("--levels")
      ->excludes("--afs")
      ->excludes("--form")
      ->excludes("--variant")
      ->excludes("--lower-order-final")
      ->excludes("--sigma-min")
      ->excludes("--sigma-max");
  app.add_flag("!--forget-analytic", s.file.analytic_in_history,
               "keep the analytic slope out of a multistep student's history");
  app.add_option("--scale-dir", s.scale_dir, "range of the direction factor; 0: none")->check(CLI::Range(0., 0.999));
  app.add_option("--scale-time", s.scale_time, "range of the sigma_scale; 0: none")->check(CLI::Range(0., 0.999));
  app.add_option("--teacher", s.teacher, "solver of the teacher")->check(unknown_solver);
  app.add_option("--teacher-order", s.teacher_settings.order, "of the teacher, where it has several");
  app.add_option("--extra", s.extra, "levels that the teacher has between two of the student")
      ->check(CLI::Range(0, 1'000));
  app.add_option("--teacher-steps", s.teacher_steps,
                 "with --loss end-to-end: the teacher's steps on Karras levels of the same range, instead of --extra")
      ->check(CLI::Range(0, 10'000));
  app.add_option("--loss", s.loss, "greedy: step by step, as published; end-to-end: at the end, through all steps")
      ->check(CLI::IsMember({"greedy", "end-to-end"}));
  app.add_option("--huber", s.end_loss.huber,
                 "with --loss end-to-end: differences beyond it count linearly; 0: squares throughout")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--shown", s.end_loss.shown,
                 "with --loss end-to-end: numbers beyond +-SHOWN count as these, as in a picture; 0: as they are")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--trajectories", s.trajectories, "to train on")->check(CLI::PositiveNumber);
  app.add_option("--batch", s.batch, "trajectories at a time")->check(CLI::Range(1, 65'536));
  app.add_option("--validation", s.validation, "trajectories to measure on, at each checkpoint")
      ->check(CLI::PositiveNumber);
  app.add_option("--lr", s.lr, "Adam's learning rate")->check(CLI::PositiveNumber);
  app.add_flag("--constants", s.constants, "keep the predictor from the features: one answer a step for all samples");
  app.add_flag("--cosine", s.cosine, "let the learning rate fall to 0 along a cosine");
  app.add_option("--ema", s.ema, "how much of the averaged weights an update keeps; 0: no average")
      ->check(CLI::Range(0., 0.99999));
  app.add_option("--cache", s.cache, "folder for the teacher's states");
  app.add_option("--seed", s.seed, "of weights and noise")->check(CLI::Range(0, 1'000'000));
  app.add_option("--checkpoint-interval", s.checkpoint_seconds, "seconds from one checkpoint to the next")
      ->check(CLI::PositiveNumber);
  app.add_option("--device", s.device, "cpu, cuda, cuda:1, ...");
  app.add_flag("--bf16", s.bf16, "the network computes in bfloat16");
  finite_numbers(app);
  CLI11_PARSE(app, argc, argv);
  if (levels->count() > 0) s.file.schedule = "custom";
  try {
    keep_freed_memory();
    check_output("out", s.out, ".safetensors", s.model);
    std::string command = "train_amed";
    for (int i = 1; i < argc; ++i) command += std::string(" ") + argv[i];
    Trainer(s).run(command);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", first_line(error).c_str());
    return 1;
  }
}
