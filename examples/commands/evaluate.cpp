// How good solvers and predictors are on a trained network, at equal evaluations, with intervals:
//   evaluate --model fashion_mnist.safetensors --classifier fashion_mnist_classifier.safetensors --nfe 5
//            --solvers euler,heun,ipndm --predictors amed_5.safetensors --cache evaluate.cache --out evaluate
// writes evaluate.csv, evaluate_differences.csv and evaluate.png. A classic solver runs at the order, schedule and
// analytic start that bring it nearest to the last 10,000 training images; test images serve in the final table alone.
// What was computed before is taken from the cache.
#include "support/cache.hpp"
#include "support/classifier.hpp"
#include "support/command_line.hpp"
#include "support/condition.hpp"
#include "support/difficulty.hpp"
#include "support/fashion_mnist.hpp"
#include "support/image_grid.hpp"
#include "support/method.hpp"
#include "support/metrics.hpp"
#include "support/network.hpp"
#include "support/noise_numbers.hpp"
#include "support/output.hpp"
#include "support/predictor_file.hpp"
#include "support/progress.hpp"
#include "support/report.hpp"

#include <fewstep/denoisers/analytic_first_step.hpp>
#include <fewstep/torch.hpp>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace fewstep;
using namespace fewstep::examples;
using torch::Tensor;
namespace fs = std::filesystem;

struct Settings {
  fs::path model, classifier, out = "evaluate", cache = "evaluate.cache", worst, gaussian_start;
  std::string data = fashion_mnist_folder, device = "cpu", reference = "ipndm";
  std::vector<std::string> settings, choose{"images"};
  std::vector<int> nfe{5};
  std::vector<std::string> solvers{"euler", "heun", "dpm2",  "dpm_singlestep", "dpmpp", "unipc",
                                   "res",   "deis", "ipndm", "ipndm_v",        "plms"};
  std::vector<fs::path> predictors;
  std::vector<double> levels;
  std::int64_t images = 4096, seeds = 3, batch = 64, selection_images = 256;
  int reference_steps = 30, resamples = 200;
  bool bf16 = false, by_class = false, by_difficulty = false;
  Condition condition;
};

class Evaluation {
 public:
  explicit Evaluation(Settings settings)
      : s_(std::move(settings)),
        device_(parse_device(s_.device)),
        unet_(load_unet(s_.model)),
        classifier_(load_classifier(s_.classifier)),
        cache_(s_.cache),
        model_(fingerprint(s_.model) + (s_.bf16 ? " in bf16" : "")),
        features_(fingerprint(s_.classifier)) {
    unet_->to(device_);
    if (s_.bf16) unet_->compute_type = torch::kBFloat16;
    const UnetConfig& config = unet_->config();
    s_.condition.check(config);
    require(!s_.by_class || (config.label_dim == static_cast<std::int64_t>(fashion_mnist_labels.size()) &&
                             !s_.condition.unlabelled),
            "by-class", "given", "pictures of 10 classes");
    require(!s_.by_difficulty || s_.predictors.size() >= 3, "by-difficulty", "given",
            "with three predictors, of rising evaluations");
    require(config.img_channels == 1 && config.img_resolution == 32, "model", s_.model.string(),
            "networks of 32x32 grey images, as the classifier's");
    static_cast<void>(load_fashion_mnist(s_.data, "t10k"));  // what is missing is said now, not after the first row
    if (!s_.gaussian_start.empty())
      gaussian_start_ =
          std::make_shared<const TensorGaussianStart>(load_gaussian_start(s_.gaussian_start, config, device_));
  }

  void run() {
    rows_.push_back(row(
        reference(), evaluations(reference().solver, reference().schedule, {})));  // what no solver can be better than
    for (const int nfe : s_.nfe) {
      for (const std::string& family : s_.solvers)
        for (const Method& m : chosen(family, nfe)) rows_.push_back(row(m, nfe));
      for (const fs::path& path : s_.predictors) {
        const Method m = learned(path);
        if (evaluations(m.solver, m.schedule, m.options) == nfe) rows_.push_back(row(m, nfe));
      }
    }
    print_table(rows_, s_.images, s_.seeds);
    print_differences(rows_);
    print_shares(rows_);
    if (s_.by_class) print_classes(rows_);
    if (s_.by_difficulty) hand_out();
    write_csv(s_.out.string() + ".csv", rows_, s_.images, s_.seeds);
    write_differences(s_.out.string() + "_differences.csv", rows_);
    write_plot(s_.out.string() + ".png", rows_);
    if (!s_.worst.empty()) write_worst();
  }

 private:
  // Samples

  /// Unit noise and classes of the samples [first, first + count) of one set.
  std::pair<Tensor, Tensor> draw(std::int64_t set, std::int64_t first, std::int64_t count) const {
    return {noise_of(unseen_numbers(set, first, count), unet_->config(), device_),
            s_.condition.labels(unet_->config(), first, count)};
  }

  Result<Tensor> generated(const Method& m, const Tensor& noise, const Tensor& labels) const {
    const auto network = [&](const Tensor& x, const Tensor& sigma, const Tensor& rows) {
      return unet_->forward(x, sigma, rows);
    };
    return s_.condition.with_denoiser(network, labels, m.start.get(), [&](auto denoise) {
      return sample(m.solver, denoise, m.schedule, noise, m.options);
    });
  }

  struct Samples {
    Tensor images;  // [N, 1, 32, 32]
    double seconds;
  };
  /// In parts that the cache keeps: a run that was killed, or is to be longer, goes on from there.
  Samples sampled(const Method& m, std::int64_t set, std::int64_t count) const {
    constexpr std::int64_t size = 512;
    const torch::NoGradGuard no_grad;
    std::vector<Tensor> all;
    Tensor seconds = torch::zeros({1}, torch::kFloat64);
    Progress bar(m.name, static_cast<double>(count), "images");
    for (std::int64_t first = 0; first < count; first += size) {
      const std::int64_t end = (std::min)(first + size, count);
      const Cache::Tensors part = cache_(described(m, set, first, end), [&] {
        const auto start = std::chrono::steady_clock::now();
        std::vector<Tensor> images;
        for (std::int64_t at = first; at < end; at += s_.batch) {
          const auto [noise, labels] = draw(set, at, (std::min)(s_.batch, end - at));
          const auto result = generated(m, noise, labels);
          if (result.status != Status::complete)
            throw std::runtime_error(m.name + " (" + m.text + "): the samples are not finite");
          images.push_back(result.x.to(torch::kCPU));
          bar.update(static_cast<double>(at + images.back().size(0)));
        }
        const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
        return Cache::Tensors{{"images", torch::cat(images)},
                              {"seconds", torch::tensor({spent.count()}, torch::kFloat64)}};
      });
      all.push_back(part.at("images"));
      seconds += part.at("seconds");
    }
    return {torch::cat(all), seconds.item<double>()};
  }

  /// The classifier's features of images [N, 1, 32, 32].
  Tensor features(const Tensor& images) const {
    const torch::NoGradGuard no_grad;
    std::vector<Tensor> parts;
    for (const Tensor& part : images.split(500)) parts.push_back(classifier_->forward(part.clamp(-1, 1)).feature);
    return torch::cat(parts);
  }
  /// The last 10,000 images of a split: of the training images those that the classifier never saw, of the test images
  /// all.
  Moments real(const std::string& split) const {
    const Tensor images = load_fashion_mnist(s_.data, split).images;
    const std::int64_t count = (std::min)(images.size(0), std::int64_t{10'000});
    return {features(images.narrow(0, images.size(0) - count, count)), resample(count, 0)};
  }

  // The reference

  Method reference() const {
    const std::string text =
        (s_.reference == "ipndm" ? "ipndm 4, " : "heun, ") + text_of("karras 7", {.steps = s_.reference_steps});
    return {"reference", false, make_solver<Tensor>(s_.reference), karras({.steps = s_.reference_steps}), {}, text};
  }
  /// The reference solution of a set of noise.
  Tensor reference_images(std::int64_t set) {
    Tensor& images = references_[set];
    if (!images.defined()) images = sampled(reference(), set, s_.images).images;
    return images;
  }
  /// The set whose reference images those of this one are compared to, from other noise. In a circle, so that what sets
  /// one reference apart from the next cancels in the mean over the seeds.
  std::int64_t other(std::int64_t set) const { return set % (std::max)(s_.seeds, std::int64_t{2}) + 1; }

  std::string described(const Method& m, std::int64_t set, std::int64_t first, std::int64_t end) const {
    return "model " + model_ + ", " + m.text + text_of(m.options) + s_.condition.text() + ", set " +
           std::to_string(set) + ", images " + std::to_string(first) + " to " + std::to_string(end);
  }

  // Methods

  Method learned(const fs::path& path) const {
    const Learned one = read_learned(path, unet_->config(), device_);
    const std::string text = (path.extension() == ".json" ? "table " : "predictor ") + fingerprint(path) +
                             (one.start ? ", start " + fingerprint(one.start_file) : "");
    return {path.stem().string(), true, one.solver, one.schedule, one.options, text, one.start};
  }

  std::vector<Method> settings_of(const std::string& family, int nfe) const {
    std::vector<Method> all = candidates(family, nfe, s_.levels);
    if (!gaussian_start_) return all;
    const std::string text = ", start " + fingerprint(s_.gaussian_start);
    for (Method& m : all)
      if (m.options.analytic_first_step) {
        m.start = gaussian_start_;
        m.text += text;
      }
    return all;
  }

  /// How far `count` samples of the selection's own noise are: in Frechet distance from the last 10,000 training
  /// images, or in the median from the reference solution.
  double selection_distance(const Method& m, std::int64_t count, const std::string& from) {
    const bool images = from == "images";
    return cache_("chosen by " + (images ? features_ : "distance to " + reference().text) + ", " +
                      described(m, 900, 0, count),
                  [&] {
                    double distance = 0;
                    const Tensor got = sampled(m, 900, count).images;
                    if (images) {
                      if (!selection_) selection_.emplace(real("train"));
                      distance = frechet(Moments(features(got), resample(count, 0)), *selection_);
                    } else {
                      distance = (got - sampled(reference(), 900, count).images)
                                     .square()
                                     .mean({1, 2, 3})
                                     .median()
                                     .sqrt()
                                     .item<double>();
                    }
                    return Cache::Tensors{{"distance", torch::tensor({distance}, torch::kFloat64)}};
                  })
        .at("distance")
        .item<double>();
  }
  /// The setting whose samples are nearest: all on a quarter of the images, then the best eighth on all.
  std::optional<Method> select(const std::string& family, int nfe, const std::string& from) {
    std::vector<std::pair<double, Method>> ranked;
    for (const Method& m : settings_of(family, nfe))
      ranked.emplace_back(selection_distance(m, (std::max)(s_.selection_images / 4, std::int64_t{4}), from), m);
    const auto nearer = [](const auto& a, const auto& b) { return a.first < b.first; };
    std::stable_sort(ranked.begin(), ranked.end(), nearer);
    ranked.resize((std::min)(ranked.size(), (std::max)(ranked.size() / 8, std::size_t{2})), {0, reference()});
    for (auto& [distance, m] : ranked) distance = selection_distance(m, s_.selection_images, from);
    const auto best = std::min_element(ranked.begin(), ranked.end(), nearer);
    return best == ranked.end() ? std::nullopt : std::optional(best->second);
  }

  /// The settings to show: the best one by each choice, or all that were asked for.
  std::vector<Method> chosen(const std::string& family, int nfe) {
    std::vector<Method> some;
    const auto whole = [](const Method& m) { return m.text + text_of(m.options); };
    if (s_.settings.empty()) {
      for (const std::string& from : s_.choose) {
        const auto best = select(family, nfe, from);
        if (best && std::none_of(some.begin(), some.end(), [&](const Method& m) { return whole(m) == whole(*best); }))
          some.push_back(*best);
      }
      return some;
    }
    std::set<std::string> wholes;  // at any count of evaluations
    for (const int n : s_.nfe)
      for (const Method& m : settings_of(family, n)) wholes.insert(whole(m));
    for (const Method& m : settings_of(family, nfe)) {
      // A text that is one setting's whole means that one, though it is part of another's: "..., AFS" and "..., AFS
      // forgotten".
      const auto asked_for = [&](const std::string& part) {
        return wholes.count(part) > 0 ? whole(m) == part : whole(m).find(part) != std::string::npos;
      };
      if (std::any_of(s_.settings.begin(), s_.settings.end(), asked_for)) some.push_back(m);
    }
    return some;
  }

  // Rows

  /// distance [N] and figures [5, 1 + resamples] of one set.
  Cache::Tensors measured(const Method& m, std::int64_t set) {
    const std::string text = "figures by " + features_ + " against " + reference().text + " and set " +
                             std::to_string(other(set)) + ", " + std::to_string(s_.resamples) + " resamples, " +
                             described(m, set, 0, s_.images);
    return cache_(text, [&] {
      const Samples got = sampled(m, set, s_.images);
      const Tensor distance = (got.images - reference_images(set)).square().mean({1, 2, 3}).to(torch::kFloat64);
      const Tensor mine = features(got.images), theirs = features(reference_images(other(set)));
      const Slices slices(got.images), other_slices(reference_images(other(set)));
      if (!test_) test_.emplace(real("t10k"));
      Tensor figures = torch::zeros({5, 1 + s_.resamples}, torch::kFloat64);
      for (int r = 0; r <= s_.resamples; ++r) {
        const auto index = static_cast<std::uint64_t>(r == 0 ? 0 : 2 * (set * 100'000 + r));
        const Tensor weights = resample(s_.images, index), other_weights = resample(s_.images, r == 0 ? 0 : index + 1);
        const Moments moments(mine, weights);
        figures[0][r] = ((weights * distance).sum() / weights.sum()).sqrt();
        figures[1][r] = distance.repeat_interleave(weights.to(torch::kInt64)).median().sqrt();
        figures[2][r] = frechet(moments, Moments(theirs, other_weights));
        figures[3][r] = frechet(moments, *test_);
        figures[4][r] = sliced_wasserstein(slices, weights, other_slices, other_weights);
      }
      return Cache::Tensors{
          {"distance", distance}, {"figures", figures}, {"seconds", torch::tensor({got.seconds}, torch::kFloat64)}};
    });
  }

  Row row(const Method& m, int nfe) {
    Row r{m.name, m.predicted ? "" : m.text + text_of(m.options), m.predicted, nfe, {}, {}, {}, {}, {}, 0, {}};
    std::vector<Tensor> distances, numbers;
    for (std::int64_t set = 1; set <= s_.seeds; ++set) {
      const Cache::Tensors one = measured(m, set);
      distances.push_back(one.at("distance"));
      numbers.push_back(one.at("figures"));
      r.seconds += one.at("seconds").item<double>() * 1000 / static_cast<double>(s_.images * s_.seeds);
    }
    r.distance = torch::stack(distances);
    const Tensor mean = torch::stack(numbers).mean(0).contiguous();
    std::int64_t k = 0;
    for (const auto& [name, figure] : figures) {
      const double* first = mean.data_ptr<double>() + k++ * mean.size(1);
      (r.*figure).values.assign(first, first + mean.size(1));
    }
    return r;
  }
  /// What the first three predictors would reach together if evaluations went where samples are hard.
  void hand_out() {
    std::vector<const Row*> made;
    for (const fs::path& path : s_.predictors)
      for (const Row& r : rows_)
        if (r.predicted && r.name == path.stem()) made.push_back(&r);
    require(made.size() >= 3, "by-difficulty", "given",
            "with three predictors at the evaluations asked for, of rising evaluations");
    const auto way = [&](std::size_t k) { return Way{made[k]->name, made[k]->nfe, made[k]->distance.flatten()}; };
    const Way cheap = way(0), middle = way(1), rich = way(2);
    std::vector<Tensor> known, labels;
    const fs::path file = file_of(middle.name);
    const Method m = learned(file);
    for (std::int64_t set = 1; set <= s_.seeds; ++set) {
      known.push_back(cache_("first features, " + described(m, set, 0, s_.images), [&] {
                        return Cache::Tensors{{"features", first_features(m, set)}};
                      }).at("features"));
      labels.push_back(s_.condition.labels(unet_->config(), 0, s_.images));
    }
    const Tensor hard = middle.squares.log(), features = torch::cat(known);
    std::vector<std::pair<std::string, Tensor>> opinions{
        {"drawn by lot", torch::randperm(hard.size(0), at::detail::createCPUGenerator(1), torch::kFloat64)}};
    Tensor all = features;
    if (labels[0].defined()) {
      const Tensor classes = torch::cat(labels).to(torch::kFloat64);
      opinions.emplace_back("foretold by class", foretold(classes, hard));
      all = torch::cat({features, classes}, 1);
    }
    opinions.emplace_back("foretold by the first evaluation's features too", foretold(all, hard));
    if (file.extension() != ".json") {
      std::vector<fs::path> files{file};
      if (made.size() > 3) files.push_back(file_of(made[3]->name));
      const std::vector<Tensor> said = answers(files);
      opinions.emplace_back("foretold by all of its predictor's answers", foretold(said[0], hard));
      if (files.size() > 1)
        opinions.emplace_back("foretold by how far another predictor's differ",
                              foretold((said[1] - said[0]).abs(), hard));
    }
    opinions.emplace_back("those that end farthest", hard);
    print_handed_out(cheap, middle, rich, opinions, s_.resamples);
  }
  fs::path file_of(const std::string& name) const {
    return *std::find_if(s_.predictors.begin(), s_.predictors.end(),
                         [&](const fs::path& p) { return p.stem() == name; });
  }
  /// [N, K] for each file: what its predictor says of the samples of all sets, in runs by the first.
  std::vector<Tensor> answers(const std::vector<fs::path>& files) const {
    const torch::NoGradGuard no_grad;
    Method m = learned(files[0]);
    std::string text = "answers by predictors";
    std::vector<std::vector<Tensor>> said(files.size()), all(files.size());
    OverheardPredictors predictors{{}, &said};
    for (const fs::path& path : files) {
      text += " " + fingerprint(path);
      predictors.asked.emplace_back(read_predictor(path, unet_->config()).network, torch::TensorOptions(device_));
    }
    m.solver = with_predictor(read_predictor(files[0], unet_->config()), predictors);
    for (std::int64_t set = 1; set <= s_.seeds; ++set) {
      const Cache::Tensors made = cache_(text + ", " + described(m, set, 0, s_.images), [&] {
        std::vector<std::vector<Tensor>> parts(files.size());
        for (std::int64_t at = 0; at < s_.images; at += s_.batch) {
          const auto [noise, labels] = draw(set, at, (std::min)(s_.batch, s_.images - at));
          generated(m, noise, labels);
          for (std::size_t k = 0; k < files.size(); ++k) parts[k].push_back(torch::cat(std::exchange(said[k], {}), 1));
        }
        Cache::Tensors answered;
        for (std::size_t k = 0; k < files.size(); ++k) answered[std::to_string(k)] = torch::cat(parts[k]);
        return answered;
      });
      for (std::size_t k = 0; k < files.size(); ++k) all[k].push_back(made.at(std::to_string(k)));
    }
    std::vector<Tensor> whole;
    for (const std::vector<Tensor>& one : all) whole.push_back(torch::cat(one));
    return whole;
  }
  /// [N, K] of a set: the network's features in the method's first evaluation.
  Tensor first_features(const Method& m, std::int64_t set) const {
    const torch::NoGradGuard no_grad;
    std::vector<Tensor> all;
    for (std::int64_t at = 0; at < s_.images; at += s_.batch) {
      const auto [noise, labels] = draw(set, at, (std::min)(s_.batch, s_.images - at));
      Tensor seen;
      const auto network = [&](const Tensor& x, const Tensor& sigma, const Tensor& rows) {
        auto out = unet_->forward(x, sigma, rows);
        if (!seen.defined()) seen = out.feature.flatten(1).to(torch::kCPU, torch::kFloat64);
        return out;
      };
      Options options = m.options;
      options.stop = [&] { return seen.defined(); };
      s_.condition.with_denoiser(network, labels, m.start.get(), [&, &unit = noise](auto denoise) {
        return sample(m.solver, denoise, m.schedule, unit, options);
      });
      all.push_back(seen);
    }
    return torch::cat(all);
  }
  /// The samples that the first predictor brings farthest from the reference, and what the others make of the same
  /// noise.
  void write_worst() {
    const auto found = std::find_if(rows_.begin(), rows_.end(), [](const Row& r) { return r.predicted; });
    require(found != rows_.end(), "worst", s_.worst.string(), "with a predictor among the rows");
    const Tensor worst = std::get<1>(found->distance[0].topk((std::min)(std::int64_t{16}, s_.images)));
    std::vector<Panel> panels;
    const auto add = [&](const std::string& label, const Tensor& images) {
      const Tensor chosen = images.contiguous();
      const auto size = extents(chosen);
      panels.push_back({label, grid(floats(chosen), {.batch = size[0],
                                                     .channels = size[1],
                                                     .height = size[2],
                                                     .width = size[3],
                                                     .columns = 4,
                                                     .scale = 2})});
    };
    add("reference", reference_images(1).index_select(0, worst));
    std::vector<Method> methods{learned(file_of(found->name))};
    for (const std::string& family : s_.solvers)
      for (const Method& m : chosen(family, found->nfe)) methods.push_back(m);
    for (const Method& m : methods) {
      std::vector<Tensor> images;
      for (std::int64_t k = 0; k < worst.size(0); ++k) {
        const auto [noise, labels] = draw(1, worst[k].item<std::int64_t>(), 1);
        images.push_back(generated(m, noise, labels).x.to(torch::kCPU));
      }
      add(m.name, torch::cat(images));
    }
    write_png(s_.worst, side_by_side(panels));
    std::printf("wrote %s: the samples that %s brings farthest from the reference\n", s_.worst.c_str(),
                found->name.c_str());
  }

  Settings s_;
  torch::Device device_;
  std::shared_ptr<EdmDenoiser> unet_;
  std::shared_ptr<Classifier> classifier_;
  Cache cache_;
  std::string model_, features_;
  std::shared_ptr<const TensorGaussianStart> gaussian_start_;
  std::map<std::int64_t, Tensor> references_;
  std::optional<Moments> selection_, test_;
  std::vector<Row> rows_;
};

}  // namespace

int main(int argc, char** argv) {
  Settings s;
  CLI::App app{"Measures solvers and predictors on a trained network at equal evaluations."};
  plain_words(app);
  app.add_option("--model", s.model, "weights of the network (safetensors)")->required();
  app.add_option("--classifier", s.classifier, "weights of train_classifier (safetensors)")->required();
  app.add_option("--data", s.data, "folder of the IDX files");
  app.add_option("--out", s.out, "writes OUT.csv and OUT.png");
  app.add_option("--cache", s.cache, "folder for what was computed");
  app.add_option("--nfe", s.nfe, "network evaluations, such as 3,5,7")->delimiter(',')->check(CLI::Range(1, 1'000));
  app.add_option("--solvers", s.solvers, "classic solvers, such as euler,ipndm; amed: with a fixed ratio")
      ->delimiter(',')
      ->check(CLI::IsMember({"euler", "heun", "dpm2", "amed", "dpm_singlestep", "dpmpp", "unipc", "res", "deis",
                             "ipndm", "ipndm_v", "plms"}));
  app.add_option("--settings", s.settings,
                 "a row for each setting of the classic solvers that one of these texts is, or is part of, such as "
                 "'ipndm 3, karras 7'; else for the best");
  app.add_option("--choose", s.choose,
                 "how that is found: by the Frechet distance to training images, by the median distance to the "
                 "reference solution, or a row for each, images,distance")
      ->delimiter(',')
      ->check(CLI::IsMember({"images", "distance"}));
  app.add_option("--levels", s.levels, "one more schedule to try classic solvers on, such as 80,9.7,0.47,0.002")
      ->delimiter(',');
  app.add_option("--predictors", s.predictors,
                 "files of train_amed and calibrate; each runs at its own number of evaluations")
      ->delimiter(',')
      ->check(CLI::ExistingFile);
  app.add_option("--images", s.images, "for each seed")->check(CLI::Range(16, 1'000'000));
  app.add_option("--seeds", s.seeds, "sets of noise")->check(CLI::Range(1, 100));
  app.add_option("--reference", s.reference, "solver of the reference solution: ipndm (of order 4) or heun")
      ->check(CLI::IsMember({"ipndm", "heun"}));
  app.add_option("--reference-steps", s.reference_steps, "of that solver")->check(CLI::Range(1, 100'000));
  app.add_option("--resamples", s.resamples, "of the bootstrap")->check(CLI::Range(20, 100'000));
  app.add_option("--selection-images", s.selection_images, "for choosing the settings of classic solvers")
      ->check(CLI::Range(16, 10'000));
  app.add_option("--batch", s.batch, "images at a time")->check(CLI::Range(1, 65'536));
  s.condition.add_options(app);
  app.add_option(
      "--gaussian-start", s.gaussian_start,
      "a file of gaussian_start: analytic starts of classic solvers know where the pictures of each class lie");
  app.add_flag("--by-class", s.by_class, "also print the distance by class");
  app.add_flag("--by-difficulty", s.by_difficulty,
               "also print what the first three predictors would reach with evaluations handed out by difficulty; a "
               "fourth, trained as the second was, says where predictors disagree");
  app.add_option("--worst", s.worst, "picture of the first predictor's worst samples (.png)");
  app.add_option("--device", s.device, "cpu, cuda, cuda:1, ...");
  app.add_flag("--bf16", s.bf16, "the network computes in bfloat16");
  finite_numbers(app);
  CLI11_PARSE(app, argc, argv);
  try {
    keep_freed_memory();
    check_output("out", s.out.string() + ".csv", ".csv");
    check_output("worst", s.worst, ".png");
    Evaluation(s).run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", first_line(error).c_str());
    return 1;
  }
}
