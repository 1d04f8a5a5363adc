// Samplers from files: predictors of train_amed and tables of calibrate.
#pragma once

#include "network.hpp"
#include "sampler.hpp"
#include "subject.hpp"

#include <fewstep/torch/gaussian_start.hpp>

#include <torch/types.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace fewstep::io {
struct AmedFile;
}

namespace fewstep::examples {

/// The size of a network's feature (EdmDenoiser::Output): the number of pixels at its coarsest resolution.
std::int64_t feature_size(const UnetConfig& config);

/// What a file of a sampler has to fit.
struct NetworkShape {
  std::vector<std::int64_t> sample;
  std::int64_t features = 0;  // numbers of a sample in the network's feature; 0: none
  std::int64_t classes = 0;   // 0: unconditional
};
/// The features that a predictor has: one that it does not use for a network without features.
std::int64_t predictor_features(std::int64_t features_of_network);
NetworkShape shape_of(const UnetConfig& config);

/// @throws std::runtime_error as io::read_amed(); std::invalid_argument for a predictor trained for other data or
/// features than the network's.
io::AmedFile read_predictor(const std::filesystem::path& path, const NetworkShape& shape);

/// The solver that a predictor's file is for, with this predictor.
TensorSolver with_predictor(const io::AmedFile& file, const TensorPredictor& predictor);
/// The same for the file at a path. @throws as read_predictor().
TensorSolver with_predictor(const std::filesystem::path& path, const NetworkShape& shape,
                            const TensorPredictor& predictor);

/// The predictor of a file.
/// @param times  counts and times its predictions; may be null
/// @throws as read_predictor().
TensorPredictor tensor_predictor(const std::filesystem::path& path, const NetworkShape& shape, torch::Device device,
                                 CallTimes* times = nullptr);

/// @throws std::runtime_error as io::read_gaussian_start(), also for a start of another network.
std::shared_ptr<const TensorGaussianStart> load_gaussian_start(const std::filesystem::path& path,
                                                               const NetworkShape& shape, torch::Device device);
/// @throws std::runtime_error if the file cannot be written.
void write_gaussian_start(const std::filesystem::path& path, const TensorGaussianStart& start);

/// A sampler from a file.
struct LoadedSampler {
  std::string kind;  // "AMED-Solver", "AMED over ipndm", "calibrated"
  Sampler sampler;
  std::filesystem::path gaussian_start_file = {};  // of sampler.gaussian_start
  std::optional<int> sequential_nfe = {};  // of a table: evaluations that have to wait for each other; others may run
                                           // in parallel
};

/// A predictor of train_amed (.safetensors).
/// @param times  counts and times its predictions; may be null
/// @throws std::runtime_error, std::invalid_argument as read_predictor().
LoadedSampler load_predictor(const std::filesystem::path& path, const NetworkShape& shape, torch::Device device,
                             CallTimes* times = nullptr);

/// A table of calibrate (.json), with the Gaussian start that it names.
/// @throws std::runtime_error as io::read_table(), load_gaussian_start().
LoadedSampler load_table(const std::filesystem::path& path, const NetworkShape& shape, torch::Device device);

/// Either, by the extension of the file. Parameters and errors as load_predictor() and load_table().
LoadedSampler load_sampler(const std::filesystem::path& path, const Subject& subject, CallTimes* times = nullptr);

}  // namespace fewstep::examples
