#include "loaded_sampler.hpp"

#include <fewstep/io/amed_file.hpp>
#include <fewstep/io/gaussian_start_file.hpp>
#include <fewstep/io/table_file.hpp>
#include <fewstep/schedule_registry.hpp>
#include <fewstep/torch/amed_predictor.hpp>

#include <algorithm>
#include <cstddef>
#include <vector>

namespace fewstep::examples {

namespace {

std::string shape_text(const std::vector<std::int64_t>& extents) {
  std::string text;
  for (const auto extent : extents) text += (text.empty() ? "" : " x ") + std::to_string(extent);
  return text;
}

}  // namespace

std::int64_t feature_size(const UnetConfig& config) {
  const std::int64_t side = config.img_resolution >> (config.channel_mult.size() - 1);
  return side * side;
}

std::int64_t predictor_features(std::int64_t features) { return (std::max)(features, std::int64_t{1}); }

NetworkShape shape_of(const UnetConfig& c) {
  return {{c.img_channels, c.img_resolution, c.img_resolution}, feature_size(c), c.label_dim};
}

io::AmedFile read_predictor(const std::filesystem::path& path, const NetworkShape& shape) {
  const io::AmedFile file = io::read_amed(path);
  require(file.data_shape == shape.sample, "predictor", path.string() + " for data of " + shape_text(file.data_shape),
          "predictors for this model's data, " + shape_text(shape.sample));
  const auto features = static_cast<std::size_t>(predictor_features(shape.features));
  require(file.network.features() == features, "predictor",
          path.string() + " for " + std::to_string(file.network.features()) + " features",
          "predictors for this model's " + std::to_string(features));
  return file;
}

namespace {
TensorPredictor tensor_predictor(const io::AmedFile& file, torch::Device device, CallTimes* times) {
  const TensorAmedPredictor predictor(file.network, torch::TensorOptions(device));
  if (!times) return {predictor};
  return {
      [predictor, times](const Step<torch::Tensor>& n, const torch::Tensor* features, Prediction<torch::Tensor>& out) {
        const CallTimer timer(features && features->is_cuda(), *times);
        predictor(n, features, out);
      }};
}
}  // namespace

TensorSolver with_predictor(const io::AmedFile& file, const TensorPredictor& predictor) {
  if (file.table) return tensor_solver(*file.table, predictor);
  return tensor_solver(file.solver, file.solver_settings, predictor);
}

TensorSolver with_predictor(const std::filesystem::path& path, const NetworkShape& shape,
                            const TensorPredictor& predictor) {
  return with_predictor(read_predictor(path, shape), predictor);
}

TensorPredictor tensor_predictor(const std::filesystem::path& path, const NetworkShape& shape, torch::Device device,
                                 CallTimes* times) {
  return tensor_predictor(read_predictor(path, shape), device, times);
}

std::shared_ptr<const TensorGaussianStart> load_gaussian_start(const std::filesystem::path& path,
                                                               const NetworkShape& shape, torch::Device device) {
  const auto classes = static_cast<std::size_t>(shape.classes);
  return std::make_shared<const TensorGaussianStart>(
      TensorGaussianStart::from(io::read_gaussian_start(path, shape.sample, classes), device));
}

void write_gaussian_start(const std::filesystem::path& path, const TensorGaussianStart& start) {
  io::write_gaussian_start(path, start.values());
}

LoadedSampler load_predictor(const std::filesystem::path& path, const NetworkShape& shape, torch::Device device,
                             CallTimes* times) {
  const io::AmedFile file = read_predictor(path, shape);
  return {file.solver == "amed" ? "AMED-Solver" : "AMED over " + file.solver,
          {with_predictor(file, tensor_predictor(file, device, times)),
           make_schedule(file.schedule, file.schedule_settings),
           {.analytic_first_step = file.analytic_first_step, .analytic_in_history = file.analytic_in_history}}};
}

LoadedSampler load_table(const std::filesystem::path& path, const NetworkShape& shape, torch::Device device) {
  const io::TableFile file = io::read_table(path);
  LoadedSampler loaded{"calibrated",
                       {file.table, file.table.schedule(), {.analytic_first_step = file.analytic_first_step}}};
  loaded.sequential_nfe = file.table.rounds(file.analytic_first_step);
  if (!file.gaussian_start.empty()) {
    loaded.gaussian_start_file = path.parent_path() / file.gaussian_start;
    loaded.sampler.gaussian_start = load_gaussian_start(loaded.gaussian_start_file, shape, device);
  }
  return loaded;
}

LoadedSampler load_sampler(const std::filesystem::path& path, const Subject& subject, CallTimes* times) {
  NetworkShape shape{subject.sample_shape(), 0, subject.unet() ? subject.unet()->config().label_dim : 0};
  if (path.extension() == ".json") return load_table(path, shape, subject.device());
  shape.features = subject.feature_size();
  return load_predictor(path, shape, subject.device(), times);
}

}  // namespace fewstep::examples
