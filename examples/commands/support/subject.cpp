#include "subject.hpp"

#include "cache.hpp"

#include <fewstep/denoisers/guidance.hpp>
#include <fewstep/denoisers/preconditioned.hpp>

#ifdef FEWSTEP_TORCH
#include "predictor_file.hpp"
#endif

#include <algorithm>
#include <utility>

namespace fewstep::examples {

namespace {

RawNetwork observed(RawNetwork network, const AroundEvaluation& around) {
  if (!around) return network;
  return [network = std::move(network), around](const Samples& x, const Level<Samples>& label, Samples& out,
                                                Features<Samples>& features) {
    bool has_features = false;
    around(x, [&] { has_features = network(x, label, out, features); });
    return has_features;
  };
}

std::string fingerprint_of(const io::ModelFile& file, const std::filesystem::path& path) {
  std::string text = fingerprint(path) + " " + fingerprint(path.parent_path() / file.network);
  for (const io::ModelCondition& condition : file.conditions)
    for (const std::string& name : {condition.values, condition.unconditional})
      if (!name.empty()) text += " " + fingerprint(path.parent_path() / name);
  return text;
}

/// What NetworkOptions allow for a described network, whose type is its own.
void check_described(const NetworkOptions& options) {
  require(!options.bf16, "bf16", "given", "none for a described network, which has a type of its own");
  require(options.dtype == "float32" || options.dtype == "float64", "dtype", options.dtype,
          "float32 or float64 for a described network, which has a type of its own");
}

}  // namespace

#ifdef FEWSTEP_TORCH

void Subject::load_weights() {
  network_ = load_network(options_);
  const ImageConfig& config = network_->config();
  config_ = &config;
  sample_shape_ = {config.img_channels, config.img_resolution, config.img_resolution};
  feature_size_ = config.feature_size();
}

torch::Device Subject::device() const { return parse_device(place_.device); }

ConditionalDenoiser Subject::labelled(const torch::Tensor& labels, double guidance,
                                      const AroundEvaluation& around) const {
  return {examples::observed(network_, around), labels, guidance};
}

#else

void Subject::load_weights() {
  refuse("model", options_.model.string(), "descriptions (.json): this program was built without LibTorch");
}

#endif

Subject::Subject(const NetworkOptions& options) : options_(options), place_(options.place()) {
  check_place(place_);
  if (options.described()) {
    check_described(options);
    exported_.emplace(options.model, options.device);
    sample_shape_ = exported_->file().sample_shape;
  } else {
    load_weights();
  }
}

std::string Subject::text() const {
  if (exported_) return fingerprint_of(exported_->file(), options_.model);
  return fingerprint(options_.model) + (options_.bf16 ? " in bf16" : "");
}

std::int64_t Subject::feature_size() const {
  if (feature_size_) return *feature_size_;
  feature_size_ = 0;
  if (exported_->file().feature.empty()) return 0;
  [[maybe_unused]] const algebra<Samples>::inference mode(true);
  const double level = exported_->file().sigma_max;
  const Samples x = scaled(noise({0}), level);
  Samples out = algebra<Samples>::like(x);
  Features<Samples> features{};
  if (denoiser({}, 0, 1)(x, Level<Samples>(level), out, features)) feature_size_ = numbers_of(features);
  return *feature_size_;
}

void Subject::check(const Condition& condition) const {
  if (config_) return condition.check(*config_);
  require(!condition.unlabelled, "unlabelled", "given", "none for a described network: its description has conditions");
  require(condition.classes.empty(), "classes", "given",
          "none for a described network: its description has conditions");
  if (condition.guidance == 1) return;
  require(!exported_->file().conditions.empty(), "guidance", condition.guidance, "1 for a network without conditions");
  exported_->network(io::Conditions::unconditional, 0, 1);
}

std::int64_t Subject::turns(const Condition& condition) const {
  return config_ ? condition.class_count(*config_) : exported_->rows();
}

ScheduleSettings Subject::at_its_levels(const std::string& name, ScheduleSettings settings) const {
  if (!exported_ || !is_range_schedule(name)) return settings;
  settings.sigma_min = settings.sigma_min.value_or(exported_->file().sigma_min);
  settings.sigma_max = settings.sigma_max.value_or(exported_->file().sigma_max);
  return settings;
}

Schedule Subject::schedule(const std::string& name, ScheduleSettings settings) const {
  const NoiseTable* table = exported_ && exported_->file().rule.table ? &*exported_->file().rule.table : nullptr;
  return make_schedule(name, at_its_levels(name, std::move(settings)), table);
}

Schedule Subject::karras(int steps) const {
  return make_schedule("karras", at_its_levels("karras", {.steps = steps, .rho = 7}));
}

void Subject::check_pictures(const char* option, const std::filesystem::path& path) const {
  const bool pictures = sample_shape_.size() == 3 && (sample_shape_[0] == 1 || sample_shape_[0] == 3);
  std::string extents;
  for (const std::int64_t extent : sample_shape_) extents += (extents.empty() ? "" : ", ") + std::to_string(extent);
  require(path.empty() || pictures, option, path.string(),
          "none: samples [" + extents + "] are no pictures of 1 or 3 channels");
}

Samples Subject::noise(const std::vector<std::uint64_t>& numbers) const {
  return unit_noise(numbers, sample_shape_, place_);
}

ConditionalDenoiser Subject::denoiser(const Condition& condition, std::int64_t first, std::int64_t count,
                                      const AroundEvaluation& around,
                                      const std::function<Denoise(RawNetwork)>& wrap) const {
#ifdef FEWSTEP_TORCH
  if (config_) return labelled(condition.labels(*config_, first, count), condition.guidance, around);
#endif
  const auto made = [&](io::Conditions which) -> Denoise {
    RawNetwork network = observed(exported_->network(which, first, count), around);
    if (wrap) return wrap(std::move(network));
    return precondition(std::move(network), exported_->file().rule);
  };
  if (condition.guidance == 1) return made(io::Conditions::given);
  return {guided(made(io::Conditions::given), made(io::Conditions::unconditional), {.scale = condition.guidance}),
          condition.guidance};
}

}  // namespace fewstep::examples
