#include "drawing.hpp"

#include <fewstep/array/values.hpp>
#include <fewstep/denoisers/inpainted.hpp>
#include <fewstep/io/diffusers.hpp>
#include <fewstep/io/npy.hpp>

#include <utility>

namespace fewstep::examples {

namespace {

using torch::Tensor;

/// Samples first, first + 1, ... of [1 or N, ...].
Tensor rows(const Tensor& all, std::int64_t first, std::int64_t count) {
  return all.size(0) == 1 ? all : all.narrow(0, first, count);
}

}  // namespace

Drawing imported_drawing(const std::filesystem::path& scheduler, int steps, std::optional<double> mu) {
  const auto imported = io::read_scheduler<Tensor>(scheduler, {.num_inference_steps = steps, .mu = mu});
  Drawing drawing{{"scheduler", {imported.solver, imported.schedule, imported.options}}};
  drawing.wrap = [imported](RawNetwork network) -> Subject::Denoise {
    return io::diffusers_denoiser(std::move(network), imported);
  };
  drawing.start_scale = imported.start_scale;
  drawing.end_scale = imported.end_scale;
  drawing.native_flow = imported.native_flow;
  return drawing;
}

void set_strength(Drawing& drawing, double strength) {
  Sampler& sampler = drawing.loaded.sampler;
  sampler.options.first_step = io::first_step(sampler.schedule.steps(), strength);
}

Tensor read_samples(const std::filesystem::path& path, const char* what,
                    const std::vector<std::int64_t>& sample_shape) {
  const Array array = io::read_npy(path);
  return io::detail::naming_file(path, [&] {
    std::vector<std::int64_t> shape = array.shape, wanted = sample_shape;
    if (shape == sample_shape) shape.insert(shape.begin(), 1);
    wanted.insert(wanted.begin(), shape.empty() ? 1 : shape[0]);
    const bool floats = array.dtype == Dtype::f32 || array.dtype == Dtype::f64 || array.dtype == Dtype::f16;
    require(shape == wanted && wanted[0] > 0 && floats, what, Port{{}, array.dtype, array.shape}.text(),
            {"floating-point numbers ", Port{{}, Dtype::f32, wanted}.text()});
    return torch::tensor(values_of<float>(array)).view(wanted);
  });
}

KnownPart KnownPart::part(std::int64_t first, std::int64_t count) const {
  if (!values.defined()) return {};
  return {rows(values, first, count), rows(mask, first, count)};
}

ConditionalDenoiser KnownPart::kept(const ConditionalDenoiser& denoise) const {
  if (!values.defined()) return denoise;
  return {inpainted(denoise, values, mask), denoise.guidance(), denoise.labels()};
}

Tensor KnownPart::restored(const Tensor& samples) const {
  return values.defined() ? torch::where(mask == 1, values, mask * values + (1 - mask) * samples) : samples;
}

KnownPart read_known_part(const std::filesystem::path& values, const std::filesystem::path& mask,
                          const std::vector<std::int64_t>& sample_shape, std::int64_t count) {
  if (values.empty()) return {};
  KnownPart known{read_samples(values, "the known values", sample_shape), read_samples(mask, "the mask", sample_shape)};
  for (const auto& [path, tensor] : {std::pair(values, known.values), {mask, known.mask}})
    if (tensor.size(0) != 1 && tensor.size(0) != count)
      throw io::file_error(path, std::to_string(tensor.size(0)) + " samples; allowed: 1 or " + std::to_string(count) +
                                     ", the number of samples");
  if (!((known.mask >= 0) & (known.mask <= 1)).all().item<bool>())
    throw io::file_error(mask, "a number of the mask is not in [0, 1]");
  return known;
}

}  // namespace fewstep::examples
