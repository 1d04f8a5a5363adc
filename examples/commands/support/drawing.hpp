// What `sample` draws from a network: the sampler, and what starts and ends its runs.
#pragma once

#include "loaded_sampler.hpp"
#include "subject.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>

namespace fewstep::examples {

struct Drawing {
  LoadedSampler loaded;
  std::function<Subject::Denoise(RawNetwork)> wrap = {};  // of a described network; empty: as its description says
  double start_scale = 0;                                 // of the unit noise; 0: the schedule's first level
  double end_scale = 1;                                   // of the samples
  bool native_flow = false;                               // levels are a flow's times: x = (1 - t) clean + t noise

  /// The share of clean data in a state at a level.
  double clean_share(double level) const { return native_flow ? 1 - level : 1; }
};

/// A scheduler_config.json of diffusers, which starts and ends as diffusers' pipelines do.
/// @param strength  share of the steps that image-to-image makes; none: from noise
/// @throws std::runtime_error as io::read_scheduler(); std::invalid_argument as io::set_strength().
Drawing imported_drawing(const std::filesystem::path& scheduler, int steps, std::optional<double> mu,
                         std::optional<double> strength);

/// Reads samples [N, shape...] of floating-point numbers from a .npy file; one sample may lack the first axis.
/// @param what  for the message, e.g. "the noise"
/// @throws std::runtime_error "PATH: WHAT" for a file that cannot be read, or of another shape or type.
Array read_samples(const std::filesystem::path& path, const char* what, const Shape& sample_shape);

/// The samples, or the only one `count` times.
/// @throws std::runtime_error naming the file for another number of samples.
Array repeated(const std::filesystem::path& path, const Array& samples, std::int64_t count);

/// Parts of the samples that are known beforehand.
struct KnownPart {
  std::optional<Samples> values = {}, mask = {};  // the mask is 1 where a value is known; none: nothing is

  /// Of samples first, first + 1, ...
  KnownPart part(std::int64_t first, std::int64_t count) const;
  /// The denoiser that keeps them, so that the run follows values + noise of each level.
  ConditionalDenoiser kept(const ConditionalDenoiser& denoise) const;
  /// The samples with exactly these values.
  Samples restored(Samples samples) const;
};

/// @param count  of the samples
/// @throws std::runtime_error as read_samples(), and for a number outside [0, 1] in the mask.
KnownPart read_known_part(const std::filesystem::path& values, const std::filesystem::path& mask,
                          const Subject& subject, std::int64_t count);

}  // namespace fewstep::examples
