// Samples from a network that a description (.json) names.
#pragma once

#include "exported_model.hpp"
#include "sampler.hpp"
#include "subject.hpp"

#include <fewstep/options.hpp>
#include <fewstep/schedule_registry.hpp>

#include <torch/types.h>

#include <cstdint>
#include <filesystem>
#include <functional>
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

/// The denoiser of a described network.
/// @param observed  wraps the network, e.g. to count its calls
/// @throws std::runtime_error for guidance without unconditional conditions.
ConditionalDenoiser described_denoiser(const ExportedModel& model, double guidance,
                                       const std::function<RawNetwork(RawNetwork)>& observed);

/// Sets the range of a named schedule to the levels of the description, unless the settings have one.
void take_levels(const io::ModelFile& file, const std::string& schedule, ScheduleSettings& settings);

/// Identifies a described network: its description, its file and the values of its conditions.
std::string described_fingerprint(const std::filesystem::path& path);

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
