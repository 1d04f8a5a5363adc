#include "predictor_file.hpp"

#include <fewstep/io/amed_file.hpp>
#include <fewstep/io/gaussian_start_file.hpp>
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

std::int64_t predictor_features(std::int64_t features) { return (std::max)(features, std::int64_t{1}); }

NetworkShape shape_of(const ImageConfig& c) {
  return {{c.img_channels, c.img_resolution, c.img_resolution}, c.feature_size(), c.label_dim};
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
SamplesPredictor tensor_predictor(const io::AmedFile& file, torch::Device device, CallTimes* times) {
  const TensorAmedPredictor predictor(file.network, torch::TensorOptions(device));
  if (!times) return {predictor};
  return {
      [predictor, times](const Step<torch::Tensor>& n, const torch::Tensor* features, Prediction<torch::Tensor>& out) {
        const CallTimer timer(features ? *features : torch::Tensor(), *times);
        predictor(n, features, out);
      }};
}
}  // namespace

SamplesSolver with_predictor(const io::AmedFile& file, const SamplesPredictor& predictor) {
  if (file.table) return samples_solver(*file.table, predictor);
  return samples_solver(file.solver, file.solver_settings, predictor);
}

SamplesSolver with_predictor(const std::filesystem::path& path, const NetworkShape& shape,
                             const SamplesPredictor& predictor) {
  return with_predictor(read_predictor(path, shape), predictor);
}

SamplesPredictor tensor_predictor(const std::filesystem::path& path, const NetworkShape& shape, torch::Device device,
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

}  // namespace fewstep::examples
