// Files of train_amed and gaussian_start, on tensors.
#pragma once

#include "evaluations.hpp"
#include "loaded_sampler.hpp"
#include "sampler.hpp"

#include <fewstep/torch/gaussian_start.hpp>

#include <torch/types.h>

#include <cstdint>
#include <filesystem>
#include <memory>

namespace fewstep::io {
struct AmedFile;
}

namespace fewstep::examples {

NetworkShape shape_of(const ImageConfig& config);
/// The features that a predictor has: one that it does not use for a network without features.
std::int64_t predictor_features(std::int64_t features_of_network);

/// @throws std::runtime_error as io::read_amed(); std::invalid_argument for a predictor trained for other data or
/// features than the network's.
io::AmedFile read_predictor(const std::filesystem::path& path, const NetworkShape& shape);

/// The solver that a predictor's file is for, with this predictor.
SamplesSolver with_predictor(const io::AmedFile& file, const SamplesPredictor& predictor);
/// The same for the file at a path. @throws as read_predictor().
SamplesSolver with_predictor(const std::filesystem::path& path, const NetworkShape& shape,
                             const SamplesPredictor& predictor);

/// The predictor of a file.
/// @param times  counts and times its predictions; may be null
/// @throws as read_predictor().
SamplesPredictor tensor_predictor(const std::filesystem::path& path, const NetworkShape& shape, torch::Device device,
                                  CallTimes* times = nullptr);

/// A predictor of train_amed (.safetensors), as a sampler.
/// @param times  counts and times its predictions; may be null
/// @throws as read_predictor().
LoadedSampler load_predictor(const std::filesystem::path& path, const NetworkShape& shape, torch::Device device,
                             CallTimes* times = nullptr);

/// @throws std::runtime_error as io::read_gaussian_start(), also for a start of another network.
std::shared_ptr<const TensorGaussianStart> load_gaussian_start(const std::filesystem::path& path,
                                                               const NetworkShape& shape, torch::Device device);
/// @throws std::runtime_error if the file cannot be written.
void write_gaussian_start(const std::filesystem::path& path, const TensorGaussianStart& start);

}  // namespace fewstep::examples
