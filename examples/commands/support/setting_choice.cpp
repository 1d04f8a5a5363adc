#include "setting_choice.hpp"

#include "predictor_file.hpp"

#include <algorithm>
#include <cstddef>
#include <set>
#include <utility>

namespace fewstep::examples {

namespace {
constexpr std::int64_t selection_set = 900;    // of noise; rows are measured on sets 1, 2, ...
constexpr std::int64_t least_images = 4;       // of the first round
constexpr std::size_t first_round_images = 4;  // the share: 1/4
constexpr std::size_t second_round = 8;        // the share of settings that enter it: 1/8, but 2 or more
}  // namespace

void ChoiceOptions::add_options(CommandLine& line) {
  line.option("--settings", settings,
              "show the settings of classic solvers that equal or contain one of these texts, such as 'ipndm 3, karras "
              "7'; if not given, the best setting");
  line.option(
          "--choose", by,
          "how the best setting is found: by the Frechet distance to training images, by the median distance to the "
          "reference solution, or a row for each: images,distance (default: images, without --classifier distance)")
      .comma_separated()
      .one_of({"images", "distance"});
  line.option("--levels", levels, "one more schedule to try with classic solvers, such as 80,9.7,0.47,0.002")
      .comma_separated();
  line.option("--gaussian-start", gaussian_start,
              "file of gaussian_start: analytic first steps of classic solvers start from its Gaussians");
  line.option("--selection-images", images, "images for the choice of settings").range(16, 10'000);
}

SettingChoice::SettingChoice(const ChoiceOptions& options, const std::vector<int>& all_nfe, SampleStore& store,
                             ImageFeatures* features)
    : options_(options), all_nfe_(all_nfe), store_(&store), features_(features) {
  if (options_.by.empty()) options_.by = {features_ ? "images" : "distance"};
  for (const std::string& by : options_.by)
    require(features_ || by != "images", "choose", by, "distance without --classifier");
  if (options_.gaussian_start.empty()) return;
  require(store.subject().config(), "gaussian-start", options_.gaussian_start.string(), "none for a described network");
  gaussian_start_ =
      load_gaussian_start(options_.gaussian_start, shape_of(*store.subject().config()), store.subject().device());
}

std::vector<Method> SettingChoice::operator()(const std::string& solver, int nfe) {
  if (!options_.settings.empty()) return named(solver, nfe);
  std::vector<Method> chosen;
  for (const std::string& by : options_.by) {
    const std::optional<Method> found = best(solver, nfe, by);
    const auto same = [&](const Method& m) { return m.text() == found->text(); };
    if (found && std::none_of(chosen.begin(), chosen.end(), same)) chosen.push_back(*found);
  }
  return chosen;
}

std::vector<Method> SettingChoice::all(const std::string& solver, int nfe) const {
  std::vector<Method> methods = candidates(solver, nfe, options_.levels, store_->subject());
  if (!gaussian_start_) return methods;
  const std::string text = ", start " + fingerprint(options_.gaussian_start);
  for (Method& m : methods) {
    if (!m.sampler.options.analytic_first_step) continue;
    m.sampler.gaussian_start = gaussian_start_;
    m.setup += text;
  }
  return methods;
}

std::vector<Method> SettingChoice::named(const std::string& solver, int nfe) const {
  std::set<std::string> whole_texts;
  for (const int n : all_nfe_)
    for (const Method& m : all(solver, n)) whole_texts.insert(m.text());
  std::vector<Method> chosen;
  for (const Method& m : all(solver, nfe)) {
    // The whole text of one setting may be part of another's: "..., AFS" and "..., AFS forgotten".
    const auto means_this = [&](const std::string& text) {
      return whole_texts.count(text) > 0 ? m.text() == text : m.text().find(text) != std::string::npos;
    };
    if (std::any_of(options_.settings.begin(), options_.settings.end(), means_this)) chosen.push_back(m);
  }
  return chosen;
}

/// In two rounds: all settings on a quarter of the images, then the best eighth of them on all images.
std::optional<Method> SettingChoice::best(const std::string& solver, int nfe, const std::string& by) {
  std::vector<std::pair<double, Method>> ranked;
  const std::int64_t few = (std::max)(options_.images / std::int64_t{first_round_images}, least_images);
  for (const Method& m : all(solver, nfe)) ranked.emplace_back(distance(m, few, by), m);
  const auto closer = [](const auto& a, const auto& b) { return a.first < b.first; };
  std::stable_sort(ranked.begin(), ranked.end(), closer);
  const std::size_t kept = (std::min)(ranked.size(), (std::max)(ranked.size() / second_round, std::size_t{2}));
  ranked.erase(ranked.begin() + static_cast<std::ptrdiff_t>(kept), ranked.end());
  for (auto& [measured, m] : ranked) measured = distance(m, options_.images, by);
  const auto found = std::min_element(ranked.begin(), ranked.end(), closer);
  return found == ranked.end() ? std::nullopt : std::optional(found->second);
}

/// On noise of its own: by "images" the Frechet distance to the last 10,000 training images, by "distance" the median
/// distance to the reference solution.
double SettingChoice::distance(const Method& m, std::int64_t count, const std::string& by) {
  const bool images = by == "images";
  const std::string text = "chosen by " + (images ? features_->text() : "distance to " + store_->reference().setup) +
                           ", " + store_->description(m, selection_set, 0, count);
  const auto measure = [&] {
    const torch::Tensor got = store_->samples(m, selection_set, count).images;
    double value = 0;
    if (images) {
      value = frechet(Moments((*features_)(got), resample(count, 0)), features_->real("train"));
    } else {
      const torch::Tensor wanted = store_->samples(store_->reference(), selection_set, count).images;
      value = (got - wanted).square().flatten(1).mean(1).median().sqrt().item<double>();
    }
    return TensorCache::Tensors{{"distance", torch::tensor({value}, torch::kFloat64)}};
  };
  return store_->cache()(text, measure).at("distance").item<double>();
}

}  // namespace fewstep::examples
