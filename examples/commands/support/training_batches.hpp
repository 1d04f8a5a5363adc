// Batches of noise, classes and teacher states for train_amed.
#pragma once

#include "condition.hpp"
#include "sampler.hpp"
#include "subject.hpp"
#include "tensor_cache.hpp"

#include <torch/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace fewstep::examples {

struct Batch {
  torch::Tensor x;  // states at the student's first level
  ConditionalDenoiser denoise;
  std::vector<torch::Tensor> teacher;  // the start, then a state after every `stride` steps of the teacher
};

/// A teacher of a student with the same first level.
struct Teacher {
  std::string solver;
  SolverSettings settings;
  Schedule schedule;
  std::size_t stride;  // steps of the teacher between kept states
};

/// Sample k has noise and a random class that depend on the seed and k only. Teacher states are computed in parts that
/// do not depend on the batch size, and kept in a cache.
class TrainingBatches {
 public:
  /// @param subject   outlives this object
  /// @param guidance  scale of the samples
  /// @throws std::invalid_argument as samples_solver().
  TrainingBatches(const Subject& subject, double guidance, std::int64_t seed, const Teacher& teacher,
                  const std::filesystem::path& cache);

  /// Samples first, first + 1, ... From noise_numbers.hpp's `validation_begins` on: samples that are never trained on.
  /// @throws Interrupted after a signal, while the teacher runs.
  Batch operator()(std::int64_t first, std::int64_t count);

 private:
  Batch without_teacher(std::int64_t first, std::int64_t count, const AroundEvaluation& around) const;
  torch::Tensor teacher_states(std::int64_t part);

  const Subject* subject_;
  std::string network_text_;
  double guidance_;
  std::int64_t seed_;
  Teacher teacher_;
  SamplesSolver solver_;
  TensorCache cache_;
  std::int64_t last_part_ = -1;  // that last_states_ belong to
  torch::Tensor last_states_;
};

}  // namespace fewstep::examples
