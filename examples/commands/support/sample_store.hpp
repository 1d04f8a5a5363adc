// Samples of methods on numbered noise, kept in a cache.
#pragma once

#include "condition.hpp"
#include "method.hpp"
#include "subject.hpp"
#include "tensor_cache.hpp"

#include <torch/types.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

namespace fewstep::examples {

struct StoreOptions {
  NetworkOptions network;
  Condition condition;
  std::filesystem::path cache = "evaluate.cache";
  std::string reference = "ipndm";  // solver of the reference solution
  int reference_steps = 30;
  std::int64_t images = 4096;  // of each set
  std::int64_t seeds = 3;      // sets of noise
  std::int64_t batch = 64;

  /// Adds --cache, --images, --seeds, --reference, --reference-steps, --batch and those of condition and device.
  void add_options(CommandLine& line);

  /// Says, for Interrupted, where the samples are kept.
  std::string kept() const;
};

/// Draws samples with methods and keeps them in the cache. Samples are numbered by set (1, 2, ...: see
/// noise_numbers.hpp) and by index in the set. Samples of different methods with the same numbers have the same noise
/// and class.
class SampleStore {
 public:
  /// @throws as Subject and its check().
  explicit SampleStore(const StoreOptions& options);

  const StoreOptions& options() const { return options_; }
  const Subject& subject() const { return subject_; }
  const TensorCache& cache() const { return cache_; }

  struct Inputs {
    torch::Tensor unit_noise;  // [count, sample_shape...]
    ConditionalDenoiser denoise;
  };
  /// Inputs of the samples first, first + 1, ... of a set.
  Inputs inputs(std::int64_t set, std::int64_t first, std::int64_t count) const;

  /// Draws one batch, without the cache.
  Result<torch::Tensor> generate(const Sampler& sampler, const Inputs& inputs) const;

  struct Samples {
    torch::Tensor images;  // [count, sample_shape...], CPU
    double seconds;        // of sampling, measured when the images were drawn
  };
  /// The first `count` samples of a set, from the cache where they are stored. They are stored in parts, so that a
  /// killed run can be resumed and a larger count extends a smaller one.
  /// @throws std::runtime_error if a sample is not finite.
  Samples samples(const Method& method, std::int64_t set, std::int64_t count) const;

  /// The many-step method whose samples are the reference solution.
  Method reference() const;
  /// The reference solution of the first options().images samples of a set.
  torch::Tensor reference_images(std::int64_t set);

  /// A method from a file of train_amed or calibrate.
  /// @throws as load_sampler().
  Method load(const std::filesystem::path& path) const;

  /// Describes the samples [first, end) of a set, as part of the cache's keys.
  std::string description(const Method& method, std::int64_t set, std::int64_t first, std::int64_t end) const;

 private:
  StoreOptions options_;
  Subject subject_;
  std::string network_text_;
  TensorCache cache_;
  std::map<std::int64_t, torch::Tensor> references_;  // by set
};

}  // namespace fewstep::examples
