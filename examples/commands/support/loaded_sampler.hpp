// Trained predictors and tables as the commands use them.
#pragma once

#include "condition.hpp"
#include "network.hpp"

#include <fewstep/io/amed_file.hpp>
#include <fewstep/io/table_file.hpp>
#include <fewstep/torch.hpp>
#include <fewstep/torch/amed_predictor.hpp>

#include <torch/torch.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace fewstep::examples {

/// The numbers of a network's feature (EdmDenoiser::Output): as many as pixels at its coarsest resolution.
inline std::int64_t feature_numbers(const UnetConfig& config) {
  const std::int64_t side = config.img_resolution >> (config.channel_mult.size() - 1);
  return side * side;
}

/// @throws std::runtime_error as io::read_amed; std::invalid_argument for a predictor of another model's data or
/// features.
inline io::AmedFile read_predictor(const std::filesystem::path& path, const UnetConfig& config) {
  const io::AmedFile file = io::read_amed(path);
  const std::vector<std::int64_t> shape{config.img_channels, config.img_resolution, config.img_resolution};
  const auto text = [](const std::vector<std::int64_t>& extents) {
    std::string all;
    for (const auto extent : extents) all += (all.empty() ? "" : " x ") + std::to_string(extent);
    return all;
  };
  require(file.data_shape == shape, "predictor", path.string() + " for data of " + text(file.data_shape),
          "predictors for this model's data, " + text(shape));
  const auto features = static_cast<std::size_t>(feature_numbers(config));
  require(file.network.features() == features, "predictor",
          path.string() + " for " + std::to_string(file.network.features()) + " features",
          "predictors for this model's " + std::to_string(features));
  return file;
}

/// A predictor that is timed.
struct TimedPredictor {
  static constexpr bool per_sample = true;
  TensorAmedPredictor inner;
  Spent* spent;
  void operator()(const Step<torch::Tensor>& n, const torch::Tensor* features, Prediction<torch::Tensor>& out) const {
    const Timer timer(features && features->is_cuda(), *spent);
    inner(n, features, out);
  }
};

/// Predictors of which the first decides and all are asked: what each says of every sample is kept.
struct OverheardPredictors {
  static constexpr bool per_sample = true;
  std::vector<TensorAmedPredictor> asked;
  std::vector<std::vector<torch::Tensor>>* said;  // by each, [B, 3] for every prediction that sees features
  void operator()(const Step<torch::Tensor>& n, const torch::Tensor* features, Prediction<torch::Tensor>& out) const {
    for (std::size_t k = asked.size(); k-- > 0;) {  // the first in the end: its answer stands
      asked[k](n, features, out);
      if (!features) continue;
      std::vector<torch::Tensor> numbers;
      for (const Level<torch::Tensor>* t : {&out.ratio, &out.direction_scale, &out.sigma_scale})
        numbers.push_back(t->per_sample() ? t->each().to(torch::kCPU, torch::kFloat64)
                                          : torch::full({features->size(0)}, t->value(), torch::kFloat64));
      (*said)[k].push_back(torch::stack(numbers, 1));
    }
  }
};

/// The solver that a file is for, with a predictor.
template <class P>
AnySolver<torch::Tensor> with_predictor(const io::AmedFile& file, const P& predictor) {
  if (file.table) return corrected_table(*file.table, predictor);
  return make_solver<torch::Tensor>(file.solver, file.solver_settings, predictor);
}

/// The solver that the file was trained for, with its predictor.
inline AnySolver<torch::Tensor> predicted_solver(const io::AmedFile& file, torch::Device device,
                                                 Spent* spent = nullptr) {
  const TensorAmedPredictor predictor(file.network, torch::TensorOptions(device));
  if (spent) return with_predictor(file, TimedPredictor{predictor, spent});
  return with_predictor(file, predictor);
}

inline Options predicted_options(const io::AmedFile& file) {
  return {.analytic_first_step = file.analytic_first_step, .analytic_in_history = file.analytic_in_history};
}

/// What a file makes of a network: a solver with its schedule and start.
struct Learned {
  std::string kind;  // "AMED-Solver", "AMED over ipndm", "calibrated"
  AnySolver<torch::Tensor> solver;
  Schedule schedule;
  Options options;
  std::filesystem::path start_file = {};                  // of the analytic first step, where it is not N(0, 1)'s
  std::shared_ptr<const TensorGaussianStart> start = {};  // from there
};

/// A table of calibrate, with the start that it names.
/// @throws std::runtime_error as io::read_table, io::read_gaussian_start.
inline Learned read_calibrated(const std::filesystem::path& path, const UnetConfig& config, torch::Device device) {
  const io::TableFile file = io::read_table(path);
  Learned made{"calibrated", file.table, file.table.schedule(), {.analytic_first_step = file.analytic_first_step}};
  if (!file.gaussian_start.empty()) {
    made.start_file = path.parent_path() / file.gaussian_start;
    made.start = std::make_shared<const TensorGaussianStart>(load_gaussian_start(made.start_file, config, device));
  }
  return made;
}

/// A predictor of train_amed, or a table of calibrate (.json).
/// @throws std::runtime_error, std::invalid_argument as the readers of either.
inline Learned read_learned(const std::filesystem::path& path, const UnetConfig& config, torch::Device device) {
  if (path.extension() == ".json") return read_calibrated(path, config, device);
  const io::AmedFile file = read_predictor(path, config);
  return {file.solver == "amed" ? "AMED-Solver" : "AMED over " + file.solver, predicted_solver(file, device),
          make_schedule(file.schedule, file.schedule_settings), predicted_options(file)};
}

}  // namespace fewstep::examples
