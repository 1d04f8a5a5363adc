// Measures solvers, predictors and tables on a trained network at equal NFE, with bootstrapped intervals:
//   evaluate --model fashion_mnist.safetensors --classifier fashion_mnist_classifier.safetensors --nfe 5
//            --solvers euler,heun,ipndm --predictors amed_5.safetensors --cache evaluate.cache --out evaluate
// writes evaluate.csv, evaluate_differences.csv and evaluate.png. A classic solver runs with the order, schedule and
// analytic first step whose samples are closest to the last 10,000 training images; test images serve for the final
// table only. Samples and figures are cached, so a stopped run can be resumed.
#include "support/command_line.hpp"
#include "support/fashion_mnist.hpp"
#include "support/image_features.hpp"
#include "support/measurement.hpp"
#include "support/output.hpp"
#include "support/report.hpp"
#include "support/sample_store.hpp"
#include "support/setting_choice.hpp"
#include "support/signals.hpp"
#include "support/solver_list.hpp"
#include "support/tensor_output.hpp"

#include <fewstep/errors.hpp>

#include <torch/utils.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace {

using namespace fewstep;
using namespace fewstep::examples;
using torch::Tensor;
namespace fs = std::filesystem;

struct Settings {
  StoreOptions store;
  ChoiceOptions choice;
  fs::path classifier, out = "evaluate", worst;
  std::string data = fashion_mnist_folder;
  std::vector<int> nfe{5};
  std::vector<std::string> solvers = few_step_solvers();
  std::vector<fs::path> predictors;
  int resamples = 200;
  bool by_class = false;
};

void add_options(CommandLine& line, Settings& s) {
  s.store.network.add_model(line);
  line.option("--classifier", s.classifier,
              "weights of train_classifier (.safetensors), for Frechet distances; without, only distances to the "
              "reference solution");
  line.option("--data", s.data, "folder of the IDX files");
  line.option("--out", s.out, "writes OUT.csv, OUT_differences.csv and OUT.png");
  line.option("--nfe", s.nfe, "network evaluations per sample, such as 3,5,7").comma_separated().range(1, 1'000);
  line.option("--solvers", s.solvers, "classic solvers, such as euler,ipndm").comma_separated().check(unknown_solver);
  line.option("--predictors", s.predictors, "files of train_amed and calibrate; each runs at its own NFE")
      .comma_separated()
      .existing_files();
  line.option("--resamples", s.resamples, "resamples of the bootstrap").range(20, 100'000);
  line.flag("--by-class", s.by_class, "also print the distances by class");
  line.option("--worst", s.worst, "picture of the first predictor's worst samples (.png)");
  line.group("Settings of classic solvers");
  s.choice.add_options(line);
  line.group("Samples");
  s.store.add_options(line);
}

void check(const Settings& s, const Subject& subject) {
  const bool classes = subject.config() && subject.config()->label_dim > 0;
  require(!s.by_class || (classes && !s.store.condition.unlabelled), "by-class", "given",
          "with conditional samples of a file of weights");
  const bool grey = subject.sample_shape() == std::vector<std::int64_t>{1, 32, 32};
  require(grey || s.classifier.empty(), "model", s.store.network.model.string(),
          "networks of 32x32 grey images, as the classifier needs");
  subject.check_pictures("worst", s.worst);
}

/// The names of the classes that take turns.
std::vector<std::string> labels_in_turn(const Subject& subject, const Condition& condition) {
  std::vector<std::string> labels;
  for (std::int64_t i = 0; i < subject.turns(condition); ++i)
    labels.push_back(
        subject.config()->label(condition.classes.empty() ? i : condition.classes[static_cast<std::size_t>(i)]));
  return labels;
}

/// Measures the reference, then for each NFE the solvers and the predictors with this NFE.
std::vector<Row> measured(const Settings& s, SampleStore& store, SettingChoice& choice, ImageFeatures* features) {
  Measurement measure(store, features, s.resamples);
  const Method reference = store.reference();
  std::vector<Row> rows{measure(reference, reference.sampler.nfe())};
  for (const int nfe : s.nfe) {
    for (const std::string& solver : s.solvers)
      for (const Method& m : choice(solver, nfe)) rows.push_back(measure(m, nfe));
    for (const fs::path& path : s.predictors)
      if (const Method m = store.load(path); m.sampler.nfe() == nfe) rows.push_back(measure(m, nfe));
  }
  return rows;
}

/// Writes a picture of the samples in which the first predictor ends farthest from the reference, beside the classic
/// solvers' samples from the same noise.
void write_worst(const Settings& s, const std::vector<Row>& rows, SampleStore& store, SettingChoice& choice) {
  constexpr std::int64_t shown = 16, set = 1;
  constexpr int columns = 4, scale = 2, text_scale = 2;
  const auto row = std::find_if(rows.begin(), rows.end(), [](const Row& r) { return r.fitted; });
  require(row != rows.end(), "worst", s.worst.string(), "with a predictor among the rows");
  const auto path =
      std::find_if(s.predictors.begin(), s.predictors.end(), [&](const fs::path& p) { return p.stem() == row->name; });
  const Tensor worst = std::get<1>(row->distance[set - 1].topk((std::min)(shown, s.store.images)));
  const double low = store.subject().lowest_value(), high = store.subject().highest_value();
  const auto shown_as = [&](const Tensor& x) { return picture(in_range(x, low, high), columns, scale); };
  std::vector<Panel> panels{{{"reference"}, shown_as(store.reference_images(set).index_select(0, worst))}};
  std::vector<Method> methods{store.load(*path)};
  for (const std::string& solver : s.solvers)
    for (const Method& m : choice(solver, row->nfe)) methods.push_back(m);
  for (const Method& m : methods) {
    std::vector<Tensor> images;
    for (std::int64_t k = 0; k < worst.size(0); ++k)
      images.push_back(store.generate(m.sampler, store.inputs(set, worst[k].item<std::int64_t>(), 1)).x);
    panels.push_back({{m.name}, shown_as(torch::cat(images))});
  }
  write_png(s.worst, page(panels, 1, text_scale));
  std::printf("wrote %s: the samples that %s moves farthest from the reference\n", s.worst.c_str(), row->name.c_str());
}

void run(const Settings& s) {
  for (const char* end : {".csv", "_differences.csv", ".png"})
    check_output("out", s.out.string() + end, fs::path(end).extension());
  check_output("worst", s.worst, ".png");
  check_output_folder("cache", s.store.cache);
  SampleStore store(s.store);
  check(s, store.subject());
  std::optional<ImageFeatures> features;
  if (!s.classifier.empty()) features.emplace(s.classifier, s.data);
  ImageFeatures* const measured_features = features ? &*features : nullptr;
  SettingChoice choice(s.choice, s.nfe, store, measured_features);
  const std::vector<Row> rows = measured(s, store, choice, measured_features);
  print_table(rows, s.store.images, s.store.seeds);
  print_differences(rows);
  print_ratios(rows);
  if (s.by_class) print_classes(rows, labels_in_turn(store.subject(), s.store.condition));
  write_csv(s.out.string() + ".csv", rows, s.store.images, s.store.seeds);
  write_differences(s.out.string() + "_differences.csv", rows);
  write_plot(s.out.string() + ".png", rows);
  if (!s.worst.empty()) write_worst(s, rows, store, choice);
}

}  // namespace

int main(int argc, char** argv) {
  Settings s;
  CommandLine line("evaluate", "Measures solvers and predictors on a trained network at equal NFE.");
  add_options(line, s);
  const auto kept = [&] { return s.store.kept(); };
  return line.run(argc, argv, [&] { run_keeping(kept, [&] { run(s); }); });
}
