// Samplers from files: predictors of train_amed and tables of calibrate.
#pragma once

#include "evaluations.hpp"
#include "sampler.hpp"
#include "subject.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace fewstep::examples {

/// What a file of a sampler has to fit.
struct NetworkShape {
  Shape sample;
  std::int64_t features = 0;  // numbers of a sample in the network's feature; 0: none
  std::int64_t classes = 0;   // 0: unconditional
};

/// A sampler from a file.
struct LoadedSampler {
  std::string kind;  // "AMED-Solver", "AMED over ipndm", "calibrated"
  Sampler sampler;
  std::filesystem::path gaussian_start_file = {};  // of sampler.gaussian_start
  std::optional<int> sequential_nfe = {};  // of a table: evaluations that have to wait for each other; others may run
                                           // in parallel
};

/// A table of calibrate (.json), with the Gaussian start that it names, or, with LibTorch, a predictor of train_amed
/// (.safetensors).
/// @param guidance  scale of the samples
/// @param times     counts and times a predictor's predictions; may be null
/// @throws std::runtime_error, std::invalid_argument as io::read_table() and read_predictor(), and for a file that does
/// not fit the network.
LoadedSampler load_sampler(const std::filesystem::path& path, const Subject& subject, double guidance,
                           CallTimes* times = nullptr);

}  // namespace fewstep::examples
