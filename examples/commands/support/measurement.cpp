#include "measurement.hpp"

#include "signals.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace fewstep::examples {

namespace {

/// The set with whose reference images the images of this set are compared: one of other noise. The sets form a circle,
/// so that differences between the references of two sets cancel in the mean over all sets.
std::int64_t other(std::int64_t set, std::int64_t seeds) { return set % (std::max)(seeds, std::int64_t{2}) + 1; }

/// Numbers the bootstrap's resamples: two for each set and r, one of its images and one of the reference's.
std::uint64_t resample_index(std::int64_t set, std::int64_t r) {
  constexpr std::int64_t most_resamples = 100'000;  // of one set
  return r == 0 ? 0 : static_cast<std::uint64_t>(2 * (set * most_resamples + r));
}

}  // namespace

torch::Tensor squared_distances(SampleStore& store, const torch::Tensor& images, std::int64_t set) {
  return (images - store.reference_images(set)).square().flatten(1).mean(1).to(torch::kFloat64);
}

std::string Measurement::text(std::int64_t other_set) const {
  return (features_ ? "figures by " + features_->text() : "figures without features") + " against " +
         store_->reference().setup + " and set " + std::to_string(other_set) + ", " + std::to_string(resamples_) +
         " resamples, ";
}

/// @return "distance" [N] and "figures" [5, 1 + resamples] of one set, in the order of `figures`; "seconds" [1]
TensorCache::Tensors Measurement::figures_of(const Method& method, std::int64_t set) {
  const std::int64_t images = store_->options().images, other_set = other(set, store_->options().seeds);
  return store_->cache()(text(other_set) + store_->description(method, set, 0, images), [&] {
    const SampleStore::Samples got = store_->samples(method, set, images);
    const torch::Tensor distance = squared_distances(*store_, got.images, set);
    const auto features = [&](const torch::Tensor& x) { return features_ ? (*features_)(x) : torch::Tensor(); };
    const torch::Tensor own = features(got.images), theirs = features(store_->reference_images(other_set));
    const Slices slices(got.images), other_slices(store_->reference_images(other_set));
    torch::Tensor values = torch::zeros({5, 1 + resamples_}, torch::kFloat64);
    for (int r = 0; r <= resamples_; ++r) {
      throw_if_interrupted();
      const std::uint64_t index = resample_index(set, r);
      const torch::Tensor weights = resample(images, index), other_weights = resample(images, r == 0 ? 0 : index + 1);
      values[0][r] = ((weights * distance).sum() / weights.sum()).sqrt();
      values[1][r] = distance.repeat_interleave(weights.to(torch::kInt64)).median().sqrt();
      if (features_) {
        const Moments moments(own, weights);
        values[2][r] = frechet(moments, Moments(theirs, other_weights));
        values[3][r] = frechet(moments, features_->real("t10k"));
      }
      values[4][r] = sliced_wasserstein(slices, weights, other_slices, other_weights);
    }
    return TensorCache::Tensors{
        {"distance", distance}, {"figures", values}, {"seconds", torch::tensor({got.seconds}, torch::kFloat64)}};
  });
}

Row Measurement::operator()(const Method& method, int nfe) {
  const auto [images, seeds] = std::pair(store_->options().images, store_->options().seeds);
  Row row{.name = method.name, .text = method.fitted ? "" : method.text(), .fitted = method.fitted, .nfe = nfe};
  std::vector<torch::Tensor> distances, values;
  for (std::int64_t set = 1; set <= seeds; ++set) {
    const TensorCache::Tensors one = figures_of(method, set);
    distances.push_back(one.at("distance"));
    values.push_back(one.at("figures"));
    row.seconds += one.at("seconds").item<double>() * 1000 / static_cast<double>(images * seeds);
  }
  row.distance = torch::stack(distances);
  const torch::Tensor mean = torch::stack(values).mean(0).contiguous();
  std::int64_t k = 0;
  for (const auto& [name, figure] : figures) {
    const double* first = mean.data_ptr<double>() + k++ * mean.size(1);
    (row.*figure).values.assign(first, first + mean.size(1));
  }
  row.has_frechet = features_ != nullptr;
  return row;
}

}  // namespace fewstep::examples
