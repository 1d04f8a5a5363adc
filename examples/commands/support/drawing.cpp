#include "drawing.hpp"

#include <fewstep/array/values.hpp>
#include <fewstep/denoisers/inpainted.hpp>
#include <fewstep/io/diffusers.hpp>
#include <fewstep/io/npy.hpp>

#include <cstddef>
#include <utility>

namespace fewstep::examples {

Drawing imported_drawing(const std::filesystem::path& scheduler, int steps, std::optional<double> mu,
                         std::optional<double> strength) {
  auto imported = io::read_scheduler<Samples>(scheduler, {.num_inference_steps = steps, .mu = mu});
  if (strength) io::set_strength(imported, *strength);
  Drawing drawing{{"scheduler", {imported.solver, imported.schedule, imported.options}}};
  drawing.wrap = [imported](RawNetwork network) -> Subject::Denoise {
    return io::diffusers_denoiser(std::move(network), imported);
  };
  drawing.start_scale = imported.start_scale;
  drawing.end_scale = imported.end_scale;
  drawing.native_flow = imported.native_flow;
  return drawing;
}

Array read_samples(const std::filesystem::path& path, const char* what, const Shape& sample_shape) {
  Array array = io::read_npy(path);
  return io::detail::naming_file(path, [&] {
    const Shape given = array.shape;
    if (array.shape == sample_shape) array.shape.insert(array.shape.begin(), 1);
    Shape wanted = sample_shape;
    wanted.insert(wanted.begin(), array.shape.empty() ? 1 : array.shape[0]);
    const bool floats = array.dtype == Dtype::f32 || array.dtype == Dtype::f64 || array.dtype == Dtype::f16;
    require(array.shape == wanted && wanted[0] > 0 && floats, what, Port{{}, array.dtype, given}.text(),
            {"floating-point numbers ", Port{{}, Dtype::f32, wanted}.text()});
    return array;
  });
}

Array repeated(const std::filesystem::path& path, const Array& samples, std::int64_t count) {
  if (samples.shape[0] == count) return samples;
  if (samples.shape[0] != 1)
    throw io::file_error(path, std::to_string(samples.shape[0]) + " samples; allowed: 1 or " + std::to_string(count) +
                                   ", the number of samples");
  return joined(std::vector<Array>(static_cast<std::size_t>(count), samples));
}

KnownPart KnownPart::part(std::int64_t first, std::int64_t count) const {
  if (!values) return {};
  return {part_of(*values, first, count), part_of(*mask, first, count)};
}

ConditionalDenoiser KnownPart::kept(const ConditionalDenoiser& denoise) const {
  return values ? denoise.with(inpainted(denoise, *values, *mask)) : denoise;
}

Samples KnownPart::restored(Samples samples) const {
  if (values) algebra<Samples>::blend(samples, *values, *mask);
  return samples;
}

KnownPart read_known_part(const std::filesystem::path& values, const std::filesystem::path& mask,
                          const Subject& subject, std::int64_t count) {
  if (values.empty()) return {};
  const Array known = repeated(values, read_samples(values, "the known values", subject.sample_shape()), count),
              where = repeated(mask, read_samples(mask, "the mask", subject.sample_shape()), count);
  for (const float share : values_of<float>(where))
    if (!(share >= 0 && share <= 1)) throw io::file_error(mask, "a number of the mask is not in [0, 1]");
  return {samples_of(known, subject.place()), samples_of(where, subject.place())};
}

}  // namespace fewstep::examples
