#include "end_comparison.hpp"

#include <fewstep/algebra.hpp>
#include <fewstep/errors.hpp>

#ifdef FEWSTEP_TORCH
#include "network.hpp"

#include <torch/utils.h>
#endif

namespace fewstep::examples {

void EndComparison::add_shown(CommandLine& line) {
  line.option("--shown", shown, "compare last states clamped to [-SHOWN, SHOWN], as pictures are to 1; 0: not clamped")
      .not_negative();
}

Samples EndComparison::clamped(Samples x) const {
  if (shown > 0) algebra<Samples>::clamp(x, -shown, shown);
  return x;
}

#ifdef FEWSTEP_TORCH

namespace {

constexpr double least_variance = 1e-4;  // relative to the largest; smaller variances count as this

torch::Tensor covariance(const torch::Tensor& features) {
  const torch::Tensor centred = features - features.mean(0);
  return centred.t().mm(centred) / features.size(0);
}

}  // namespace

void EndComparison::add_classifiers(CommandLine& line, std::vector<std::filesystem::path>& files) {
  line.option("--classifier", files,
              "weights of train_classifier (.safetensors), one or several: final states are also compared in their "
              "features")
      .comma_separated()
      .existing_files();
  line.option("--feature-weight", feature_weight, "weight of differences in features; that of pixels is 1")
      .not_negative()
      .needs("--classifier");
  line.option("--moment-weight", moment_weight,
              "weight of differences in mean and covariance of a batch's features, as in the Frechet distance")
      .not_negative()
      .needs("--classifier");
}

void EndComparison::load(const std::vector<std::filesystem::path>& files, const Shape& sample_shape,
                         const Place& place) {
  for (const std::filesystem::path& path : files) {
    classifiers.push_back(load_classifier(path));
    classifiers.back()->to(parse_device(place.device));
    require(sample_shape == Shape{1, 32, 32}, "classifier", path.string(), "only with a network of 32x32 grey images");
  }
}

Samples EndComparison::operator()(const Samples& x) const {
  const torch::NoGradGuard no_grad;
  const torch::Tensor image = clamped(x);
  if (classifiers.empty()) return image;
  const torch::Tensor feature = features(image);
  std::vector<torch::Tensor> parts{image.flatten(1), feature_weight * feature};
  if (moment_weight > 0) {
    const auto add_for_all = [&](const torch::Tensor& moments) {
      parts.push_back((moment_weight * moments).flatten().expand({x.size(0), -1}));
    };
    add_for_all(feature.mean(0));
    add_for_all(axes_.t().mm(covariance(feature)).mm(axes_) * scales_);
  }
  return torch::cat(parts, 1);
}

void EndComparison::set_axes(const Samples& teacher_images) {
  const torch::NoGradGuard no_grad;
  if (classifiers.empty() || moment_weight == 0) return;
  const torch::Tensor feature = features(clamped(teacher_images));
  const auto [variances, axes] = torch::linalg_eigh(covariance(feature).to(torch::kFloat64));
  const torch::Tensor bounded = variances.clamp_min(least_variance * variances.max().item<double>());
  axes_ = axes.to(feature.scalar_type());
  scales_ = (2 * (bounded.unsqueeze(0) + bounded.unsqueeze(1))).rsqrt().to(feature.scalar_type());
}

torch::Tensor EndComparison::features(const torch::Tensor& images) const {
  std::vector<torch::Tensor> all;
  for (const auto& classifier : classifiers) all.push_back(classifier->forward(images).feature);
  return torch::cat(all, 1);
}

#else

void EndComparison::add_classifiers(CommandLine&, std::vector<std::filesystem::path>&) {}
void EndComparison::load(const std::vector<std::filesystem::path>&, const Shape&, const Place&) {}
Samples EndComparison::operator()(const Samples& x) const { return clamped(x); }
void EndComparison::set_axes(const Samples&) {}

#endif

}  // namespace fewstep::examples
