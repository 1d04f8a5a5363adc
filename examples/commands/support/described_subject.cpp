#include "described_subject.hpp"

#include "cache.hpp"
#include "signals.hpp"

#include <fewstep/array/values.hpp>
#include <fewstep/denoisers/guidance.hpp>
#include <fewstep/denoisers/preconditioned.hpp>
#include <fewstep/io/diffusers.hpp>
#include <fewstep/io/model_file.hpp>
#include <fewstep/io/npy.hpp>
#include <fewstep/io/table_file.hpp>

#include <algorithm>
#include <utility>

namespace fewstep::examples {

namespace {

using torch::Tensor;

RawNetwork timed(RawNetwork network, Progress& progress, CallTimes& times) {
  return [network = std::move(network), &progress, &times](const Tensor& x, const Level<Tensor>& label, Tensor& out,
                                                           Tensor& features) {
    throw_if_interrupted();
    bool has_features = false;
    {
      const CallTimer timer(x.is_cuda(), times);
      has_features = network(x, label, out, features);
    }
    progress.update(times.calls);
    return has_features;
  };
}

/// @param wrap           RawNetwork -> denoiser
/// @param unconditional  not called without guidance
template <class Wrap, class Unconditional>
ConditionalDenoiser denoiser_of(RawNetwork network, Unconditional unconditional, double guidance, Wrap wrap) {
  auto conditional = wrap(std::move(network));
  if (guidance == 1) return {std::move(conditional), 1};
  return {guided(std::move(conditional), wrap(unconditional()), {.scale = guidance}), guidance};
}

/// @param wrap  RawNetwork -> denoiser
template <class Wrap>
Subject made(const DescribedRun& run, const ExportedModel& model, LoadedSampler loaded, Wrap wrap) {
  const io::ModelFile& file = model.file();
  Subject subject{file.sample_shape, std::move(loaded), run.guidance == 1 ? 1 : 2};
  subject.lowest_value = file.lowest_value;
  subject.highest_value = file.highest_value;
  subject.rows = model.rows();
  const RawNetwork unconditional = run.guidance == 1 ? RawNetwork() : model.unconditional();
  subject.denoiser = [=, scale = run.guidance, network = model.network()](std::int64_t, Progress& progress,
                                                                          CallTimes& times) {
    return denoiser_of(
        timed(network, progress, times), [&] { return timed(unconditional, progress, times); }, scale, wrap);
  };
  return subject;
}

auto by_description(const ExportedModel& model) {
  return [rule = model.file().rule](RawNetwork network) { return precondition(std::move(network), rule); };
}

}  // namespace

ConditionalDenoiser described_denoiser(const ExportedModel& model, double guidance,
                                       const std::function<RawNetwork(RawNetwork)>& observed) {
  return denoiser_of(
      observed(model.network()), [&] { return observed(model.unconditional()); }, guidance, by_description(model));
}

void take_levels(const io::ModelFile& file, const std::string& schedule, ScheduleSettings& settings) {
  if (!is_range_schedule(schedule)) return;
  settings.sigma_min = settings.sigma_min.value_or(file.sigma_min);
  settings.sigma_max = settings.sigma_max.value_or(file.sigma_max);
}

std::string described_fingerprint(const std::filesystem::path& path) {
  const io::ModelFile file = io::read_model(path);
  std::string text = fingerprint(path) + " " + fingerprint(path.parent_path() / file.network);
  for (const io::ModelCondition& condition : file.conditions)
    for (const std::string& name : {condition.values, condition.unconditional})
      if (!name.empty()) text += " " + fingerprint(path.parent_path() / name);
  return text;
}

Subject described_subject(const DescribedRun& run, const TensorSolver& solver, const std::string& name,
                          const std::string& schedule, ScheduleSettings settings, const Options& options) {
  const ExportedModel model(run.model, run.device);
  const io::ModelFile& file = model.file();
  take_levels(file, schedule, settings);
  const std::optional<NoiseTable>& table = file.rule.table;
  return made(run, model, {name, {solver, make_schedule(schedule, settings, table ? &*table : nullptr), options}},
              by_description(model));
}

Subject described_subject(const DescribedRun& run, const std::filesystem::path& path) {
  const ExportedModel model(run.model, run.device);
  const io::TableFile file = io::read_table(path);
  require(file.gaussian_start.empty(), "table", path.string(),
          "tables without a Gaussian start for a described network");
  LoadedSampler loaded{"calibrated",
                       {file.table, file.table.schedule(), {.analytic_first_step = file.analytic_first_step}}};
  loaded.sequential_nfe = file.table.rounds(file.analytic_first_step);
  return made(run, model, std::move(loaded), by_description(model));
}

Subject described_subject(const DescribedRun& run, const std::filesystem::path& scheduler, int steps,
                          std::optional<double> mu) {
  const ExportedModel model(run.model, run.device);
  const auto imported = io::read_scheduler<Tensor>(scheduler, {.num_inference_steps = steps, .mu = mu});
  LoadedSampler loaded{"scheduler", {imported.solver, imported.schedule, imported.options}};
  Subject subject = made(run, model, std::move(loaded), [imported](RawNetwork network) {
    return io::diffusers_denoiser(std::move(network), imported);
  });
  subject.start_scale = imported.start_scale;
  subject.end_scale = imported.end_scale;
  return subject;
}

Tensor read_noise(const std::filesystem::path& path, const std::vector<std::int64_t>& sample_shape) {
  const Array array = io::read_npy(path);
  return io::detail::naming_file(path, [&] {
    std::vector<std::int64_t> wanted = sample_shape;
    wanted.insert(wanted.begin(), array.shape.empty() ? 1 : array.shape[0]);
    const bool floats = array.dtype == Dtype::f32 || array.dtype == Dtype::f64 || array.dtype == Dtype::f16;
    require(array.shape == wanted && wanted[0] > 0 && floats, "the noise", Port{{}, array.dtype, array.shape}.text(),
            {"floating-point numbers ", Port{{}, Dtype::f32, wanted}.text()});
    return torch::tensor(values_of<float>(array)).view(wanted);
  });
}

}  // namespace fewstep::examples
