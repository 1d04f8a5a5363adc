// Studies whether hard samples should get more evaluations, at the same total NFE:
//   difficulty_study --model fashion_mnist.safetensors
//                    --predictors
//                    table_4.json,amed_table_5.safetensors,table_7.json,amed_table_5_other_seed.safetensors
// The hardest samples are drawn with the third sampler, as many of the easiest with the first, all others with the
// second. Difficulty is the distance to the reference solution, estimated before sampling from the class, from features
// of the first evaluation, or from the outputs of time predictors. Samples come from the cache of `evaluate`.
#include "support/command_line.hpp"
#include "support/difficulty.hpp"
#include "support/measurement.hpp"
#include "support/output.hpp"
#include "support/predictor_file.hpp"
#include "support/sample_store.hpp"
#include "support/signals.hpp"
#include "support/tensor_cache.hpp"

#include <fewstep/errors.hpp>

#include <torch/utils.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace fewstep;
using namespace fewstep::examples;
using torch::Tensor;
namespace fs = std::filesystem;

struct Settings {
  StoreOptions store;
  std::vector<fs::path> predictors;
  int resamples = 200;
};

void add_options(CommandLine& line, Settings& s) {
  s.store.network.add_model(line, false);
  line.option("--predictors", s.predictors,
              "three files of train_amed and calibrate with increasing NFE; a fourth, a predictor trained like the "
              "second but with another seed, shows where predictors disagree")
      .required()
      .comma_separated()
      .existing_files();
  line.option("--resamples", s.resamples, "resamples of the bootstrap").range(20, 100'000);
  s.store.add_options(line);
}

/// Calls f(first, count) for each batch of a set of noise.
template <class F>
void for_each_batch(const StoreOptions& options, F f) {
  for (std::int64_t at = 0; at < options.images; at += options.batch)
    f(at, (std::min)(options.batch, options.images - at));
}

SamplingBudget budget_of(const fs::path& path, SampleStore& store) {
  const Method method = store.load(path);
  std::vector<Tensor> squares;
  for (std::int64_t set = 1; set <= store.options().seeds; ++set)
    squares.push_back(squared_distances(store, store.samples(method, set, store.options().images).images, set));
  return {method.name, method.sampler.nfe(), torch::cat(squares)};
}

/// The network's features in the first evaluation of a method: [images, features] of one set.
Tensor first_features(const Method& method, std::int64_t set, const SampleStore& store) {
  std::vector<Tensor> all;
  for_each_batch(store.options(), [&](std::int64_t first, std::int64_t count) {
    Tensor feature;
    SampleStore::Inputs inputs = store.inputs(set, first, count);
    const ConditionalDenoiser plain = inputs.denoise;
    const auto recording = [&](const Tensor& x, const Level<Tensor>& sigma, Tensor& out, Tensor& features) {
      const bool has_features = plain(x, sigma, out, features);
      if (!feature.defined()) feature = features.flatten(1).to(torch::kCPU, torch::kFloat64);
      return has_features;
    };
    inputs.denoise = plain.with(recording);
    Sampler sampler = method.sampler;
    sampler.options.stop = [&] { return feature.defined(); };
    store.generate(sampler, inputs);
    all.push_back(feature);
  });
  return torch::cat(all);
}

/// A predictor that calls several predictors and records their outputs. The solver gets those of the first.
/// @param outputs  for each predictor, [B, 3] (ratio, direction scale, sigma scale) per prediction with features
SamplesPredictor recording(const std::vector<SamplesPredictor>& predictors, std::vector<std::vector<Tensor>>& outputs) {
  return {[predictors, &outputs](const Step<Tensor>& n, const Tensor* features, Prediction<Tensor>& out) {
    for (std::size_t k = predictors.size(); k-- > 0;) {  // the first one last, so that its output stays in `out`
      predictors[k](n, features, out);
      if (!features) continue;
      std::vector<Tensor> numbers;
      for (const Level<Tensor>* t : {&out.ratio, &out.direction_scale, &out.sigma_scale})
        numbers.push_back(t->per_sample() ? t->each().to(torch::kCPU, torch::kFloat64)
                                          : torch::full({features->size(0)}, t->value(), torch::kFloat64));
      outputs[k].push_back(torch::stack(numbers, 1));
    }
  }};
}

/// The outputs of predictors for all samples, in runs with the first predictor: [N, numbers] per file.
std::vector<Tensor> predictor_outputs(const std::vector<fs::path>& files, const SampleStore& store) {
  const ImageConfig& config = *store.subject().config();
  std::string text = "answers by predictors";
  std::vector<std::vector<Tensor>> outputs(files.size()), all(files.size());
  std::vector<SamplesPredictor> predictors;
  for (const fs::path& path : files) {
    text += " " + fingerprint(path);
    predictors.push_back(tensor_predictor(path, shape_of(config), store.subject().device()));
  }
  Method method = store.load(files[0]);
  method.sampler.solver = with_predictor(files[0], shape_of(config), recording(predictors, outputs));
  for (std::int64_t set = 1; set <= store.options().seeds; ++set) {
    const auto make = [&] {
      std::vector<std::vector<Tensor>> parts(files.size());
      for_each_batch(store.options(), [&](std::int64_t first, std::int64_t count) {
        store.generate(method.sampler, store.inputs(set, first, count));
        for (std::size_t k = 0; k < files.size(); ++k) parts[k].push_back(torch::cat(std::exchange(outputs[k], {}), 1));
      });
      TensorCache::Tensors made;
      for (std::size_t k = 0; k < files.size(); ++k) made[std::to_string(k)] = torch::cat(parts[k]);
      return made;
    };
    const TensorCache::Tensors made =
        store.cache()(text + ", " + store.description(method, set, 0, store.options().images), make);
    for (std::size_t k = 0; k < files.size(); ++k) all[k].push_back(made.at(std::to_string(k)));
  }
  std::vector<Tensor> whole;
  for (const std::vector<Tensor>& one : all) whole.push_back(torch::cat(one));
  return whole;
}

/// What is known of all samples after the first evaluation.
struct KnownBefore {
  Tensor features;  // [N, features]
  Tensor classes;   // [N, classes]; undefined for a network without classes
};
KnownBefore known_before(const Method& method, const SampleStore& store) {
  const StoreOptions& options = store.options();
  std::vector<Tensor> features, labels;
  for (std::int64_t set = 1; set <= options.seeds; ++set) {
    const auto make = [&] { return TensorCache::Tensors{{"features", first_features(method, set, store)}}; };
    const std::string text = "first features, " + store.description(method, set, 0, options.images);
    features.push_back(store.cache()(text, make).at("features"));
    labels.push_back(options.condition.labels(*store.subject().config(), 0, options.images));
  }
  return {torch::cat(features), labels[0].defined() ? torch::cat(labels).to(torch::kFloat64) : Tensor()};
}

void run(const Settings& s) {
  require(s.predictors.size() >= 3, "predictors", std::to_string(s.predictors.size()) + " files", "3 or more");
  check_output_folder("cache", s.store.cache);
  const torch::NoGradGuard no_grad;
  SampleStore store(s.store);
  require(store.subject().config(), "model", s.store.network.model.string(), "weights of a network (.safetensors)");
  const SamplingBudget cheap = budget_of(s.predictors[0], store), middle = budget_of(s.predictors[1], store),
                       rich = budget_of(s.predictors[2], store);
  const Tensor hard = middle.squares.log();
  std::vector<std::pair<std::string, Tensor>> difficulties{
      {"random", torch::randperm(hard.size(0), at::detail::createCPUGenerator(1), torch::kFloat64)}};
  const auto add = [&](const std::string& name, const Tensor& x) {
    difficulties.emplace_back("predicted from " + name, cross_validated(x, hard));
  };
  const fs::path& file = s.predictors[1];
  const KnownBefore known = known_before(store.load(file), store);
  if (known.classes.defined()) {
    add("the class", known.classes);
    add("class and first features", torch::cat({known.features, known.classes}, 1));
  } else {
    add("first features", known.features);
  }
  if (file.extension() != ".json") {
    std::vector<fs::path> files{file};
    if (s.predictors.size() > 3) files.push_back(s.predictors[3]);
    const std::vector<Tensor> outputs = predictor_outputs(files, store);
    add("all outputs of its predictor", outputs[0]);
    if (files.size() > 1) add("the differences to another predictor's outputs", (outputs[1] - outputs[0]).abs());
  }
  difficulties.emplace_back("actual distance, not known before", hard);
  print_reallocations(cheap, middle, rich, difficulties, s.resamples);
}

}  // namespace

int main(int argc, char** argv) {
  Settings s;
  CommandLine line("difficulty_study", "Measures what more evaluations for hard samples gain, at the same total NFE.");
  add_options(line, s);
  const auto kept = [&] { return s.store.kept(); };
  return line.run(argc, argv, [&] { run_keeping(kept, [&] { run(s); }); });
}
