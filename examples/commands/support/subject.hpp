// What a command draws samples from: the network of a file, or of a description, with the sampler for it.
#pragma once

#include "condition.hpp"
#include "loaded_sampler.hpp"
#include "network.hpp"
#include "progress.hpp"

#include <cstdint>
#include <functional>
#include <vector>

namespace fewstep::examples {

struct Subject {
  std::vector<std::int64_t> sample_shape;
  LoadedSampler loaded;
  int per_call;  // evaluations of the network in each call of the denoiser: 2 with guidance
  /// The denoiser of a batch, which counts and times its evaluations.
  std::function<ConditionalDenoiser(std::int64_t samples, Progress& progress, CallTimes& times)> denoiser = {};
  double lowest_value = -1, highest_value = 1;  // of the data
  std::int64_t rows = 1;                        // of its conditions: 1, or one per sample
  double end_scale = 1;                         // of the samples
  double start_scale = 0;                       // of the unit noise; 0: the schedule's first level
};

}  // namespace fewstep::examples
