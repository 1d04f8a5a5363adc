#include "decoder.hpp"

#include "exported_model.hpp"
#include "runtimes.hpp"
#include "signals.hpp"

#include <fewstep/array/values.hpp>
#include <fewstep/io/model_file.hpp>

#include <torch/script.h>
#include <torch/utils.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

namespace fewstep::examples {

namespace {

namespace fs = std::filesystem;
using torch::Tensor;

constexpr const char* decoder_format = "fewstep decoder 1";

/// Latents of one run to pictures.
struct DecoderRun {
  std::function<Tensor(const Tensor&)> run;
  std::int64_t batch = -1;  // of each run; -1: any
};

template <class Session>
DecoderRun exported_decoder(const Session& session) {
  require(session.inputs().size() == 1, "the decoder's inputs", fewstep::detail::text_of(session.inputs()), "one");
  const Port& in = session.inputs()[0];
  require(in.dtype == Dtype::f32, {"the type of the decoder's `", in.name, "`"}, to_string(in.dtype), "F32");
  const auto run = [session](const Tensor& latents) {
    std::vector<Fetch> fetches(1);
    session.run({Feed{0, latents.sizes().vec(), latents.data_ptr<float>()}}, fetches);
    const Array& pictures = fetches[0].result;
    return torch::tensor(values_of<float>(pictures)).view(pictures.shape);
  };
  return {run, in.shape && !in.shape->empty() ? in.shape->front() : -1};
}

DecoderRun decoder_run(const io::ModelFile& file, const fs::path& folder, torch::Device device) {
  const fs::path path = folder / file.network;
  if (!fs::exists(path)) throw io::file_error(path, "no such file");
  const io::Runtime runtime = chosen_runtime(file);
  require(runtime != io::Runtime::aoti, "runtime", "aoti", "onnxruntime, openvino, torchscript for a decoder");
  if (runtime == io::Runtime::torchscript) {
    const TorchScriptRun module{std::make_shared<torch::jit::Module>(torch::jit::load(path.string(), device))};
    return {[module, device](const Tensor& latents) { return module({latents.to(device)})[0].to(torch::kCPU); }};
  }
  return with_session<DecoderRun>(runtime, path, [](const auto& session) { return exported_decoder(session); });
}

/// All pictures, in parts of the decoder's batch; the last latents stand for those beyond them.
Tensor decoded(const DecoderRun& network, const Tensor& latents, std::int64_t most) {
  const torch::NoGradGuard no_grad;
  const std::int64_t part = network.batch > 0 ? network.batch : (std::min)(most, latents.size(0));
  std::vector<Tensor> pictures;
  for (std::int64_t first = 0; first < latents.size(0); first += part) {
    throw_if_interrupted();
    const Tensor places = torch::arange(first, first + part).clamp_max(latents.size(0) - 1);
    const std::int64_t filled = (std::min)(part, latents.size(0) - first);
    pictures.push_back(network.run(latents.index_select(0, places).contiguous()).narrow(0, 0, filled));
  }
  return torch::cat(pictures);
}

}  // namespace

Decoder load_decoder(const fs::path& path, const std::vector<std::int64_t>& latent_shape, torch::Device device) {
  constexpr std::int64_t most = 8;  // pictures at once, which are much larger than latents
  const nlohmann::json json = io::read_json(path);
  return io::detail::naming_file(path, [&]() -> Decoder {
    const bool has_format = json.is_object() && json.contains("format") && json["format"].is_string();
    io::check_format(has_format ? json["format"].get<std::string>() : "", decoder_format, "a decoder");
    const io::detail::JsonObject top(json, "", {"format", "network", "runtime", "sample_shape", "data_range"},
                                     "the description of a decoder");
    io::ModelFile file;
    file.network = io::detail::file_beside(top, "network");
    if (top.has("runtime")) file.runtime = parse<io::Runtime>("runtime", top.text("runtime"));
    file.sample_shape = io::detail::shape_from_json(top);
    require(file.sample_shape == latent_shape, "sample_shape", Port{{}, Dtype::f32, file.sample_shape}.text(),
            {"that of the model, ", Port{{}, Dtype::f32, latent_shape}.text()});
    io::detail::read_range(top, "data_range", file.lowest_value, file.highest_value);
    const DecoderRun network = decoder_run(file, path.parent_path(), device);
    const double low = file.lowest_value, range = file.highest_value - low;
    return [=](const Tensor& latents) {
      const Tensor pictures = io::detail::naming_file(path, [&] { return decoded(network, latents, most); });
      const bool shown = pictures.dim() == 4 && (pictures.size(1) == 1 || pictures.size(1) == 3);
      if (!shown) throw io::file_error(path, "the decoder's output is no picture [N, C, H, W] of 1 or 3 channels");
      return (pictures - low) * (2 / range) - 1;
    };
  });
}

}  // namespace fewstep::examples
