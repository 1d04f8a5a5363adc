// Finds the best few-step solver for a network within some minutes:
//   autotune --model model.json --evaluations 5 --minutes 10 --out solver.json
// The state is written to solver.json.part after each stage; the same command resumes from there.
#include "support/autotune_store.hpp"
#include "support/command_line.hpp"
#include "support/noise_numbers.hpp"
#include "support/output.hpp"
#include "support/plot.hpp"
#include "support/progress.hpp"
#include "support/signals.hpp"
#include "support/subject.hpp"
#include "support/table_store.hpp"

#include <fewstep/fitting/autotune.hpp>

#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <optional>
#include <sstream>
#include <string>

namespace {

using namespace fewstep;
using namespace fewstep::examples;
namespace fs = std::filesystem;

struct Settings {
  NetworkOptions network;
  Condition condition;
  fs::path out, plot;
  int evaluations = 5;
  double minutes = 10;
  std::optional<int> calls;
  std::optional<double> sigma_min, sigma_max;
  bool branches = true;
  std::int64_t batch = 40, seed = 0;
};

void add_options(CommandLine& line, Settings& s) {
  s.network.add_model(line);
  line.option("--out", s.out, "solver to write (.json)").required();
  line.option("--plot", s.plot, "picture of the search to write (.png)");
  line.option("--evaluations", s.evaluations, "evaluations per sample; with guidance each takes two of the network")
      .range(2, 100);
  line.option("--minutes", s.minutes, "time for the search, about").positive();
  line.option("--calls", s.calls,
              "calls of the network, each with one batch, in place of --minutes: the same on every machine")
      .range(1'000, 1'000'000'000)
      .excludes({"--minutes"});
  line.option("--sigma-min", s.sigma_min, "last noise level (default: the model's, else 0.002)").positive();
  line.option("--sigma-max", s.sigma_max, "first noise level (default: the model's, else 80)").positive();
  line.flag("!--without-branches", s.branches, "with guidance: keep both outputs in their fixed combination");
  line.option("--batch", s.batch, "samples per batch").range(2, 65'536);
  s.condition.add_options(line);
  s.condition.add_classes(line);
  line.option("--seed", s.seed, "seed of the noise").range(0, 1'000'000);
  s.network.add_device(line);
}

fs::path part_of(const Settings& s) { return s.out.string() + ".part"; }

/// What an evaluation costs: calls in the time that is given.
std::size_t affordable_calls(const Settings& s, const ConditionalDenoiser& denoise, const Samples& noise) {
  constexpr double used = 0.95;  // of the time, the rest for arithmetic
  constexpr int timed = 4;
  Samples out = scaled(noise, 1);
  Features<Samples> features{};
  const auto call = [&] { denoise(noise, Level<Samples>(1.), out, features); };
  call();  // the first one allocates
  const auto begin = std::chrono::steady_clock::now();
  for (int k = 0; k < timed; ++k) call();
  const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - begin;
  return static_cast<std::size_t>(used * 60 * s.minutes * timed / spent.count());
}

/// Shows the stages and the time left.
class Display {
 public:
  explicit Display(std::size_t calls, std::size_t done)
      : bar_("search", static_cast<double>(calls), "calls", static_cast<double>(done)) {}

  void show(const AutotuneState& s) {
    if (s.stage != stage_) {
      bar_.finish();
      describe(s);
    }
    stage_ = s.stage;
    bar_.update(static_cast<double>(s.calls), note(s));
  }

 private:
  static std::string note(const AutotuneState& s) {
    std::string text(to_string(s.stage));
    if (!s.refinement) return text;
    char distances[80];
    std::snprintf(distances, sizeof distances, ", held-out RMS distance %.4f, median %.4f", s.refinement->best_rms,
                  s.refinement->best_median);
    return text + distances;
  }
  /// What the stage before has found.
  static void describe(const AutotuneState& s) {
    if (s.stage == AutotuneStage::teacher) std::printf("usable noise levels: up to %.4g\n", s.check->usable_max);
    if (s.stage == AutotuneStage::start) {
      std::printf("%-44s %8s %8s\n", "best classic solvers", "RMS", "median");
      for (const Racer& racer : s.leaders)
        std::printf("%-44s %8.4f %8.4f\n", racer.text.c_str(), racer.rms, racer.median);
    }
    if (s.stage == AutotuneStage::refine) {
      std::printf("%-44s %8s %8s\n", "with weights fitted, held out", "RMS", "median");
      for (const AutotuneStart& start : s.starts)
        std::printf("%-44s %8.4f %8.4f\n", start.text.c_str(), start.rms, start.median);
    }
    std::fflush(stdout);
  }

  Progress bar_;
  AutotuneStage stage_ = AutotuneStage::check;
};

void print_result(const Settings& s, const Autotuned& found) {
  const UnseenComparison& u = found.unseen;
  std::printf("\n%s\n", found.text.c_str());
  std::printf("distances to the teacher, per number, on %zu samples of unseen noise:\n", u.samples);
  std::printf("%-20s %8s %8s\n", "", "RMS", "median");
  std::printf("%-20s %8.4f %8.4f\n", "fitted", u.fitted.rms, u.fitted.median);
  std::printf("%-20s %8.4f %8.4f   (%s)\n", "best classic solver", u.classic.rms, u.classic.median,
              found.leaders[0].text.c_str());
  std::printf("relative to it: RMS %.3f to %.3f, median %.3f to %.3f (95%% intervals)\n", u.rms_ratio[0],
              u.rms_ratio[1], u.median_ratio[0], u.median_ratio[1]);
  for (const std::string& note : found.notes) std::printf("note: %s\n", note.c_str());
  std::printf("wrote %s, which runs as\n", s.out.c_str());
  std::printf("  const auto solver = fewstep::io::read_table_sampler(\"%s\");\n", s.out.filename().c_str());
  std::printf(
      "  const auto result = fewstep::sample(solver.table, denoise, solver.schedule, noise, solver.options);\n");
}

void write_solver(const Settings& s, const Autotuned& found, const std::string& command) {
  std::ostringstream unseen;
  const UnseenComparison& u = found.unseen;
  unseen << "RMS " << u.fitted.rms << ", median " << u.fitted.median << " on " << u.samples << " samples; "
         << found.leaders[0].text << ": " << u.classic.rms << ", " << u.classic.median;
  write_stored_table(s.out, {found.table, found.analytic_first_step, {}},
                     {{"command", command}, {"found", found.text}, {"unseen", unseen.str()}});
}

/// The check of the levels, and the distances of the best solvers.
void draw_search(const Settings& s, const Autotuned& found) {
  std::ostringstream text;
  text << "set multiplot layout 1,2\nset logscale x\nset grid\nset title \"Denoised pure noise\"\n"
       << "set xlabel 'noise level'\nset ylabel 'RMS of D'\nset arrow from " << found.check.usable_max
       << ", graph 0 to " << found.check.usable_max
       << ", graph 1 nohead dashtype 2\nplot '-' with linespoints notitle\n";
  for (std::size_t i = 0; i < found.check.levels.size(); ++i)
    text << found.check.levels[i] << " " << found.check.denoised_rms[i] << "\n";
  text
      << "e\nunset logscale\nunset arrow\nset title 'Distance to the teacher, unseen noise'\nset style fill solid 0.5\n"
      << "set boxwidth 0.35\nset xlabel ''\nset ylabel 'per number'\nset yrange [0:*]\nset xtics ('best classic' 0, "
         "'fitted' 1)\n"
      << "set xrange [-0.6:1.6]\nplot '-' using ($1-0.18):2 with boxes title 'RMS', '-' using ($1+0.18):2 with boxes "
         "title 'median'\n"
      << "0 " << found.unseen.classic.rms << "\n1 " << found.unseen.fitted.rms << "\ne\n0 "
      << found.unseen.classic.median << "\n1 " << found.unseen.fitted.median << "\ne\nunset multiplot\n";
  plot(s.plot, "1100,420", text.str());
}

AutotuneOptions options_of(const Settings& s, const Subject& subject) {
  const ScheduleSettings range = subject.at_its_levels("karras", {});
  AutotuneOptions o{.evaluations = s.evaluations, .branches = s.branches};
  o.sigma_min = s.sigma_min.value_or(range.sigma_min.value_or(o.sigma_min));
  o.sigma_max = s.sigma_max.value_or(range.sigma_max.value_or(o.sigma_max));
  return o;
}

void run(const Settings& s, const std::string& command) {
  check_output("out", s.out, ".json");
  check_output("out", part_of(s), ".part");
  if (!s.plot.empty()) check_output("plot", s.plot, ".png");
  const Subject subject(s.network);
  subject.check(s.condition);
  const std::int64_t turns = subject.turns(s.condition);
  require(s.batch % turns == 0, "batch", s.batch,
          "multiples of the " + std::to_string(turns) + " classes or conditions that take turns");
  const auto noise = [&](std::size_t batch) {
    return subject.noise(training_numbers(s.seed, static_cast<std::int64_t>(batch) * s.batch, s.batch));
  };
  const ConditionalDenoiser denoise =
      subject.denoiser(s.condition, 0, s.batch, [](const Samples&, const std::function<void()>& evaluate) {
        throw_if_interrupted();
        evaluate();
      });
  const std::string text = command + ", of " + subject.text();
  AutotuneOptions options = options_of(s, subject);
  if (const auto stored = read_search(part_of(s), text)) {
    options.calls = stored->calls;
    options.resume = stored->state;
  } else {
    options.calls = s.calls ? static_cast<std::size_t>(*s.calls) : affordable_calls(s, denoise, noise(0));
  }
  Display display(options.calls, options.resume ? options.resume->calls : 0);
  AutotuneStage saved = AutotuneStage::check;
  int iterations = 0;
  options.report = [&](const AutotuneState& state) {
    display.show(state);
    const int made = state.refinement ? state.refinement->stage : 0;
    if (state.stage != saved || made != iterations) write_search(part_of(s), text, {options.calls, state});
    saved = state.stage;
    iterations = made;
    return true;
  };
  const Autotuned found = autotune<Samples>(denoise, noise, options);
  write_solver(s, found, command);
  print_result(s, found);
  if (!s.plot.empty()) draw_search(s, found);
  fs::remove(part_of(s));
}

}  // namespace

int main(int argc, char** argv) {
  Settings s;
  CommandLine line("autotune", "Finds the best few-step solver for a network, without choices by hand.");
  add_options(line, s);
  const auto kept = [&s] { return kept_in(part_of(s)); };
  return line.run(argc, argv, [&] { run_keeping(kept, [&] { run(s, line.text()); }); });
}
