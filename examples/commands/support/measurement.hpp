// A method's figures: distances to the reference solution and to test images.
#pragma once

#include "image_features.hpp"
#include "report.hpp"
#include "sample_store.hpp"

#include <cstdint>
#include <string>

namespace fewstep::examples {

class Measurement {
 public:
  /// @param features   of Frechet distances; null: these are not measured
  /// @param resamples  number of resamples of the bootstrap
  Measurement(SampleStore& store, ImageFeatures* features, int resamples)
      : store_(&store), features_(features), resamples_(resamples) {}

  /// Measures a method on all sets of the store.
  Row operator()(const Method& method, int nfe);

 private:
  TensorCache::Tensors figures_of(const Method& method, std::int64_t set);
  /// What decides the figures, beside the samples.
  std::string text(std::int64_t other_set) const;

  SampleStore* store_;
  ImageFeatures* features_;
  int resamples_;
};

/// Squared distances to the reference solution [N] in float64: means over the pixels of each image.
torch::Tensor squared_distances(SampleStore& store, const torch::Tensor& images, std::int64_t set);

}  // namespace fewstep::examples
