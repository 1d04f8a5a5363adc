// Samples from a network that a description (.json) names.
#pragma once

#include "sampler.hpp"
#include "subject.hpp"

#include <fewstep/options.hpp>
#include <fewstep/schedule_registry.hpp>

#include <torch/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace fewstep::examples {

/// Which network, on which device, with which guidance scale.
struct DescribedRun {
  std::filesystem::path model;
  torch::Device device;
  double guidance = 1;
};

/// A solver on a named schedule, which ends where the description says unless the settings do.
/// @throws std::runtime_error as ExportedModel; std::invalid_argument as make_schedule().
Subject described_subject(const DescribedRun& run, const TensorSolver& solver, const std::string& name,
                          const std::string& schedule, ScheduleSettings settings, const Options& options);

/// A table of calibrate.
/// @throws std::runtime_error as io::read_table(); std::invalid_argument for one with a Gaussian start.
Subject described_subject(const DescribedRun& run, const std::filesystem::path& table);

/// A scheduler_config.json of diffusers.
/// @throws std::runtime_error as io::read_scheduler().
Subject described_subject(const DescribedRun& run, const std::filesystem::path& scheduler, int steps,
                          std::optional<double> mu);

/// Reads unit noise [N, sample_shape...] from a .npy file.
/// @throws std::runtime_error "PATH: WHAT" for a file that cannot be read, or of another shape or type.
torch::Tensor read_noise(const std::filesystem::path& path, const std::vector<std::int64_t>& sample_shape);

}  // namespace fewstep::examples
